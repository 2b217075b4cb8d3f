"""Which series were given seeds until a comparison was decided, so that a t test of them would promise too much.

``nacbench sweep decide`` writes a file before it submits the first run. It lies in the store beside the runs, copies
and archives take it along, and `marked` marks the runs of its series. Without it, a report would judge these runs as if
their number had been fixed beforehand: that is wrong in 23 % of cases instead of 5 %.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nacbench.code_digest import short_digest
from nacbench.errors import BrokenFileError, UserError
from nacbench.filesystem.files import write_text
from nacbench.formats.reading import read_json
from nacbench.recording.bounded import Name, Number, Part, Positive, Text, Time
from nacbench.recording.row import Run

DECISIONS = ".decisions"  # folder in a store; no report takes a folder whose name starts with a dot for one of runs
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


class Member(Part):
    """A series that takes part: ``label`` is for readers, ``series`` is `nacbench.recording.row.Run.series`."""

    label: Text
    series: Digest


class Asked(Part):
    """One question: a difference of two series, or numbers of one series, against bars.

    Attributes:
        name: for readers, such as ``nac - vit`` or the name of a claim.
        members: one or two series; of two, the first less the second.
        bars: what is compared with, in units of the metric.
    """

    name: Text
    task: Name
    scale: Name
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=2)]
    bars: Annotated[tuple[Number, ...], Field(min_length=1, max_length=2)]

    @property
    def key(self) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """What makes two questions the same one; which of two is better is the same in both directions."""
        series = tuple(member.series for member in self.members)
        return (series if any(self.bars) else tuple(sorted(series))), self.bars


class Decision(Part):
    """Content of a file: what is decided by adding seeds, and the rule.

    Attributes:
        sweep: name of the sweep.
        began: time before the first submission, UTC.
        rule: of `nacbench.reporting.anytime`.
        level: probability of ever deciding wrongly.
        prior: variance of the effect's prior in squared deviations.
        margin: of practical equivalence, as differences are shown: in points of an accuracy, otherwise in units of the
            metric; 0: there is no equivalence.
        first, most: seeds before the first look, and at the last one.
        comparisons: judged together, by Holm's correction over all of them.
        claims: each judged by itself.
    """

    sweep: Name
    began: Time
    rule: Literal["normal mixture of Student's likelihood ratio"] = "normal mixture of Student's likelihood ratio"
    level: Annotated[float, Field(gt=0, lt=1)]
    prior: Annotated[float, Field(gt=0, le=1e6)]
    margin: Annotated[float, Field(ge=0, le=1e12)]
    first: Positive
    most: Positive
    comparisons: tuple[Asked, ...] = ()
    claims: tuple[Asked, ...] = ()

    @property
    def questions(self) -> tuple[Asked, ...]:
        """Comparisons and claims."""
        return (*self.comparisons, *self.claims)

    @property
    def file_name(self) -> str:
        """Name of its file, a digest of what is asked: more seeds later do not make another file."""
        keys = [sorted(one.key for one in some) for some in (self.comparisons, self.claims)]
        return f"{short_digest(json.dumps(keys).encode())}.json"


def read_decisions(store: Path) -> list[Decision]:
    """Return what was decided in a store by adding seeds.

    Raises:
        UserError: if a file cannot be read or is broken; without it, nobody knows how its runs may be judged.
    """
    return [read_decision(path) for path in sorted((store / DECISIONS).glob("*.json"))]


def read_decision(path: Path) -> Decision:
    """Read one file.

    Raises:
        BrokenFileError: if it is no decision, or does not ask what its name is a digest of.
        UserError: if it cannot be read.
    """
    try:
        decision = read_json(path, Decision)
    except BrokenFileError as error:
        raise BrokenFileError(
            f"{error}; it says which runs were collected until a decision: restore it, or start nacbench sweep decide "
            "again after moving it away"
        ) from None
    if path.name != decision.file_name:
        raise BrokenFileError(f"{path} asks what {decision.file_name} should ask; remove the copy or its change")
    return decision


def begin(store: Path, decision: Decision) -> Decision:
    """Write down what is decided, before its first run is submitted; return it with its first beginning.

    Raises:
        UserError: as `as_begun` does.
    """
    decision = as_begun(store, decision)
    path = store / DECISIONS / decision.file_name
    content = json.dumps(decision.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
    if not path.exists() or path.read_text("utf-8") != content:
        write_text(path, content)
    return decision


def as_begun(store: Path, decision: Decision) -> Decision:
    """Return what is decided, with its beginning and most seeds if it was begun before; nothing is written.

    Raises:
        UserError: if one of its questions was begun with another margin: a margin that is chosen after the first look
            can be chosen to fit.
    """
    if found := _other_margin(store, decision):
        known, again = found
        raise UserError(
            f"{again.task}: {again.name} was begun with a margin of {known.margin:g} "
            f"({store / DECISIONS / known.file_name}), and a margin is fixed before the first look: give "
            f"--margin {known.margin:g}, or decide in another folder"
        )
    for known in read_decisions(store):
        if known.file_name == decision.file_name:
            decision = decision.model_copy(update={"began": known.began, "most": max(known.most, decision.most)})
    return decision


def _other_margin(store: Path, decision: Decision) -> tuple[Decision, Asked] | None:
    """Return what was decided in a store with another margin, and a question that both ask; None without any."""
    for known in read_decisions(store):
        asked = {one.key for one in known.comparisons}
        again = next((one for one in decision.comparisons if one.key in asked), None)
        if again is not None and known.margin != decision.margin:
            return known, again
    return None


def carry(runs: Iterable[Run], target: Path) -> None:
    """Copy what was decided in the stores of some runs into another store; to be called before they are copied there.

    Raises:
        UserError: if a file is broken, or a question has another margin in the target.
    """
    carried = list(decisions_of(runs))
    for decision in carried:  # all are checked before one is written
        if found := _other_margin(target, decision):
            known, again = found
            raise UserError(
                f"{again.task}: {again.name} was decided with a margin of {known.margin:g} in {target}, and with "
                f"{decision.margin:g} in what is copied; keep them in two folders. Nothing was copied"
            )
    for decision in carried:
        begin(target, decision)


def marked(runs: Sequence[Run]) -> Sequence[Run]:
    """Return runs with a mark on those whose series are given seeds until a decision, in any of their stores.

    The mark is the number of seeds at the first look: these were fixed beforehand, and later ones were added. The
    series that train networks for them get their seeds at the same moments: they are marked, too.

    Raises:
        UserError: if a file that says so is broken.
    """
    first: dict[str, int] = {}  # number of seeds at the first look by series; the least of several questions
    for decision in decisions_of(runs):
        for member in (member for one in decision.questions for member in one.members):
            first[member.series] = min(decision.first, first.get(member.series, decision.first))
    if not first:
        return runs
    networks = {run.trained_on: first[run.series] for run in runs if run.series in first and run.trained_on}
    first = {run.series: networks[run.run_id] for run in runs if run.run_id in networks} | first
    return [run._replace(adaptive=first.get(run.series, 0)) for run in runs]


def decisions_of(runs: Iterable[Run]) -> Iterator[Decision]:
    """Yield what was decided in the stores of some runs.

    Raises:
        UserError: if a file is broken.
    """
    # <store>/<task>/<model>/<id>: from the runs, as reports are also made of a part of a store, or of several at once
    for store in dict.fromkeys(run.folder.rsplit("/", 3)[0] for run in runs):
        yield from read_decisions(Path(store))
