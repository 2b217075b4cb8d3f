"""Content of a sweep's file together with that of the files it extends; files that its keys name are read beside it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from nacbench.errors import UserError, first_problem, unknown
from nacbench.formats.dotted import merge
from nacbench.formats.extending import EXTENDS, Layer
from nacbench.formats.yaml_text import read_mapping
from nacbench.recording.tags import NOTHING, given
from nacbench.running.config_files import plugins_beside
from nacbench.sweep.block import nested_settings
from nacbench.sweep.choice import ChoiceFile
from nacbench.sweep.part import Values
from nacbench.sweep.profile import Profile


def content_of(layers: Sequence[Layer], keys: Collection[str]) -> tuple[Values, dict[str, str]]:
    """Return the content of the last of some files with that of the others, which it extends; and each key's file.

    Keys of later files win, mappings are merged, and tags and notes add up.

    Args:
        layers: at least one.
        keys: that a sweep's file may have.

    Raises:
        UserError: if a key is unknown, or a file that one names cannot be read.
    """
    whole: Values = {}
    places: dict[str, str] = {}
    tags = NOTHING
    for layer in layers:
        for key in layer.settings:
            if key not in keys:
                raise unknown(f"key in sweep {layer.place}", key, (*keys, EXTENDS))
        own = _beside(layer)
        tags = tags.also(given(own.pop("tags", ()), own.pop("notes", ()), layer.place))
        if layer is not layers[-1]:
            own.pop("name", None)  # it names the other file's sweep
        whole = _merged(whole, own, layer.place)
        places |= dict.fromkeys(own, layer.place)
    if "choices" in whole:
        whole["choices_are_own"] = "choices" in layers[-1].settings
    return {**whole, "tags": tags.tags, "notes": tags.notes}, places


def _beside(layer: Layer) -> Values:
    """Return a file's content with the profile and choices that it names, and plug-ins by their paths."""
    own, folder = dict(layer.settings), layer.path.parent
    if isinstance(profile := own.get("profile"), str):
        with _named_in(layer, "profile"):
            own["profile"] = Profile.read(profile, near=folder)
    if "choices" in own:
        own["choices_are_read"] = isinstance(own["choices"], str)
        if own["choices_are_read"]:
            with _named_in(layer, "choices"):
                own["choices"] = read_choices(folder / own["choices"])
    if "plugins" in own:
        own["plugins"] = [str(file) for file in plugins_beside(own["plugins"], layer.path)]
    return own


@contextmanager
def _named_in(layer: Layer, key: str) -> Iterator[None]:
    """Put the place of a key before errors about the file that it names."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{layer.origin((key,))}: {key}: {error}") from None


def _merged(base: Values, over: Values, place: str) -> Values:
    both = [one["set"] for one in (base, over) if isinstance(one.get("set"), Mapping)]
    if len(both) < 2:
        return merge(base, over)
    try:  # one of them may have training.lr, and the other one training: {lr: …}
        settings = merge(*map(nested_settings, both))
    except UserError as error:
        raise UserError(f"{place}: set: {error}") from None
    return {**merge(base, over), "set": settings}


def read_choices(path: Path) -> list[Values]:
    """Read the list ``choices`` from a file that ``nacbench tune`` wrote.

    Raises:
        UserError: if there is no such file, or it has no such list, or one of the list is no choice.
    """
    content = read_mapping(path, ["choices"])
    if not isinstance(content.get("choices"), list):
        raise UserError(f"{path} has no list called choices; nacbench tune writes such a file")
    chosen: list[Values] = content["choices"]
    try:
        ChoiceFile.model_validate({"choices": chosen})
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error, '')}") from None
    return chosen
