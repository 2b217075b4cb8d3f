"""Forms in which copies of any data set of the hub come: one list of patterns for all of them, in ``hub.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from pydantic import BaseModel, TypeAdapter

from nacbench.data.mirror.door.distribution import FOLDER, Distribution
from nacbench.data.mirror.door.readers.base import Strict
from nacbench.data.mirror.door.readers.tables import Tables
from nacbench.formats.reading import read_text
from nacbench.formats.yaml_text import parse_yaml

NAMES_OF_SPLITS = (("train", "training"), ("validation", "valid", "val", "dev"), ("test", "testing"))

BETWEEN = ("/", "--", "___")  # owner and name in folders: on the hub, in its cache, in that of the library datasets


class HubForm(BaseModel):
    """A form of every data set of the hub.

    Attributes:
        name: in one word.
        title: for readers.
        each: patterns of a split's files.
    """

    model_config = Strict

    name: str
    title: str
    each: list[str]


def hub_forms(name: str, revision: str, splits: Mapping[str, str]) -> list[Distribution]:
    """Return the forms of one data set of the hub.

    Args:
        name: ``owner/name`` on the hub.
        revision: the commit that is fetched.
        splits: pattern of the files of each split on the hub.
    """
    return [
        Distribution(
            name=form.name,
            title=f"{name}: {form.title}",
            needs={split: list(_patterns(form, path, revision)) for split, path in splits.items()},
            hints=[name.replace("/", between) for between in BETWEEN],
            reader=Tables(),
        )
        for form in _forms()
    ]


def _patterns(form: HubForm, path: str, revision: str) -> Iterator[str]:
    """Yield the patterns of a split, by the pattern of its files on the hub, such as ``data/valid-*.parquet``."""
    folder, _, file = path.rpartition("/")
    own = file.partition("-")[0].partition("*")[0]
    names = next((names for names in NAMES_OF_SPLITS if own in names), (own,))
    for pattern in form.each:
        for split in dict.fromkeys((own, *names)):
            yield pattern.format(path=path, folder=folder, file=file, split=split, revision=revision)


@cache
def _forms() -> list[HubForm]:
    file = FOLDER / "hub.yaml"
    return TypeAdapter(list[HubForm]).validate_python(parse_yaml(read_text(file), file))
