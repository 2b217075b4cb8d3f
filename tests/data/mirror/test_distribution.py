"""Descriptions of distributions: all of the suite's are valid, and mistakes in a plug-in's are named."""

from pathlib import Path

import pytest

from nacbench.contracts.task import AnyTask
from nacbench.data.mirror.data_files import MirrorFiles
from nacbench.data.mirror.door.distribution import ALL, data_set, data_set_names, read_data_set
from nacbench.data.mirror.door.readers.base import Table
from nacbench.errors import UserError
from nacbench.registry import TASKS

SOUND = """
title: Shapes
distributions:
  - name: folders
    title: shapes in folders
    needs: {train: "train/*/*.png", test: "test/*/*.png"}
    reader: {kind: image-folders, splits: {train: {folder: 1}, test: {folder: 1}}}
"""


@pytest.mark.parametrize("name", data_set_names())
def test_the_suite_s_own_are_valid(name: str) -> None:
    found = data_set(name)
    assert found.distributions
    assert len({own.title for own in found.distributions}) == len(found.distributions)
    assert {part for own in found.distributions for part in own.gives} - {ALL} == set(found.parts)


def all_files() -> list[MirrorFiles]:
    """The data files of all tasks."""
    tasks: list[AnyTask] = [TASKS.get(name)() for name in TASKS.entries()]
    return [files for task in tasks for files in task.data_files() if isinstance(files, MirrorFiles)]


def test_every_description_belongs_to_a_task_and_gives_what_the_mirror_needs() -> None:
    for files in all_files():
        known = files.data_set()
        assert known.distributions, files.name
        assert set(known.table.full) <= set(known.table.splits or known.table.full)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("{folder: 1}, test", "{folder: 1}, tset", "of the role 'tset', which has no pattern"),
        ("image-folders", "images", "'kind'"),
        ("train/*/*.png", "/train/*.png", "not a path inside a copy"),
        ("train/*/*.png", "../*.png", "not a path inside a copy"),
        ("train/*/*.png", "train/**", "a pattern ends with the name"),
        ("name: folders", "name: In Folders", "name"),
        ("title: Shapes", "title: Shapes\nlicence: CC0", "licence"),
        ("    reader", "    classes: {train: 1}\n    reader", "asks for the data set's classes, whose names"),
        ("    reader", "    classes: {other: 1}\n    reader", "files of the role 'other', which has no pattern"),
        (
            "distributions:",
            "parts: {a: a}\ndistributions:\n  - {name: b, title: B, needs: {b: b}, gives: [b], reader: {kind: tables}}",
            "gives the part 'b', of which there are no patterns in parts",
        ),
    ],
)
def test_mistakes_are_named(before: str, after: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "shapes.yaml"
    file.write_text(SOUND)
    assert read_data_set(file).title == "Shapes"
    file.write_text(SOUND.replace(before, after))
    with pytest.raises(UserError) as caught:
        read_data_set(file)
    assert str(file) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_forms_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "shapes.yaml"
    file.write_text(SOUND + SOUND.partition("distributions:\n")[2])
    with pytest.raises(UserError, match="two distributions of one name"):
        read_data_set(file)


def test_a_table_knows_its_columns_by_what_they_hold() -> None:
    assert Table(columns={"img": "image", "fine_label": "class"}).column("class") == "fine_label"
