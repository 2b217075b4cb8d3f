"""What came of an import for each of a task's data sets: taken, there already, not in the paths, or damaged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nacbench.cli.shared.needs import for_task
from nacbench.data.mirror.door.refusals import ThereAlreadyError, UnknownCopyError
from nacbench.errors import UserError
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.contracts.task import DataFiles

WORTH_TELLING = 0.5  # share of a form that must be there for what it lacks to matter beside data that was taken


@dataclass(frozen=True)
class Outcome:
    """What came of an import for one data set.

    Attributes:
        setting: that makes the task use it, or an empty text.
        settings: all by which the task uses it, with those that the user gave.
        files: the data set.
        refusal: why it was not taken; None if it was.
    """

    setting: str
    settings: Sequence[str]
    files: DataFiles
    refusal: UserError | None

    @property
    def is_damaged(self) -> bool:
        """Whether something is wrong, and not only missing or there already."""
        return self.refusal is not None and not isinstance(self.refusal, UnknownCopyError | ThereAlreadyError)

    @property
    def share(self) -> float:
        """Of what the nearest form needs, how much was in the paths."""
        return self.refusal.share if isinstance(self.refusal, UnknownCopyError) else 0


def imported(
    task: str, settings: Sequence[str], files: DataFiles, setting: str, root: Path, paths: Sequence[Path], link: bool
) -> Outcome:
    """Import files of a task if the paths have them.

    Args:
        task: its name.
        settings: that the user gave.
        files: the data set.
        setting: that makes the task use it, or an empty text.
        root: the mirror.
        paths: what the user has.
        link: make links to files that are taken as they are.
    """
    given = [*settings, *filter(None, [setting])]
    try:
        files.bring(root, *paths, link=link, say=lambda line: say(f"{task}: {for_task(line, task, given)}"))
    except UserError as error:
        return Outcome(setting, given, files, error)
    say(f"{task}: {files} is now in {files.place(root)}")
    return Outcome(setting, given, files, None)


def tell(task: str, outcomes: Sequence[Outcome], root: Path) -> None:
    """Say what came of an import.

    Damage is an error whatever else came in. What is there already matters more than what the paths do not have, which
    is an error only if there was nothing else.

    Raises:
        UserError: if something is damaged, or nothing was taken.
    """
    taken = [own for own in outcomes if own.refusal is None]
    there = [own for own in outcomes if isinstance(own.refusal, ThereAlreadyError)]
    absent = [own for own in outcomes if isinstance(own.refusal, UnknownCopyError)]
    if taken:
        told = [own for own in absent if own.share >= WORTH_TELLING]
        for line in dict.fromkeys(_refused(task, own) for own in (*there, *told)):
            say(f"{task}: not taken: {line}")
    for setting in sorted({own.setting for own in taken} - {""}):
        say(f"{task}: to use it, say: --set {setting}")
    if damaged := [own for own in outcomes if own.is_damaged]:
        raise _joined(task, damaged)
    if taken:
        return
    if not any(own.files.missing(root) for own in outcomes):
        places = " and ".join(str(own.files.place(root)) for own in outcomes)
        raise UserError(f"{task}: all its data is there already, in {places}; to replace it, remove it first")
    raise _joined(task, there or [own for own in absent if own.share == max(own.share for own in absent)])


def _joined(task: str, outcomes: Iterable[Outcome]) -> UserError:
    return UserError("; ".join(dict.fromkeys(_refused(task, own) for own in outcomes)))


def _refused(task: str, outcome: Outcome) -> str:
    return for_task(str(outcome.refusal), task, outcome.settings)
