"""Learning curves as reports read them: the rows of ``curve.jsonl``, checked; also of runs that go on."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from nacbench.errors import BrokenFileError, UserError, first_problem
from nacbench.formats.reading import open_regular, read_bytes, read_text
from nacbench.recording.bounded import Count, Number, Seconds
from nacbench.recording.store import CURVE, damage


class Point(BaseModel):
    """A row of a curve: training loss since the last row, or the metrics on the split that chooses the weights.

    Attributes:
        step: optimiser steps so far.
        epoch: passes over the training examples so far.
        split: ``train``, ``validation``, or ``test`` where the weights were chosen by the test split.
        loss: mean training loss in nats; None for a row of another split, which has its metrics by name instead.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False, strict=True)
    __pydantic_extra__: dict[str, Number]

    step: Count
    epoch: Seconds
    split: Literal["train", "validation", "test"]
    loss: Number | None = None

    @model_validator(mode="after")
    def _check_loss(self) -> "Point":
        if self.split == "train" and self.loss is None:
            raise ValueError("a row of train has no loss")
        return self

    def value(self, metric: str) -> float | None:
        """Return the training loss, or a metric on the other split; None if the row lacks it."""
        return self.loss if self.split == "train" else (self.model_extra or {}).get(metric)


def read_curve(path: Path) -> list[Point]:
    """Read a ``curve.jsonl``.

    Raises:
        BrokenFileError: if it is not a curve; the message names file and line.
        UserError: if it cannot be read. A missing file counts as this.
    """
    points = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            points.append(Point.model_validate_json(line))
        except ValidationError as error:
            why = first_problem(error, "")
            raise BrokenFileError(f"{path} is not a learning curve: line {number}: {why}") from None
    return points


def kept_curve(folder: Path, files: Mapping[str, str]) -> list[Point]:
    """Read the curve of a finished run; a run that scores another run's network has none, and so no points.

    Args:
        folder: of the run.
        files: SHA-256 of the files beside its record, which has these.

    Raises:
        BrokenFileError: if it is not the file that the run wrote, or no curve.
        UserError: if it cannot be read.
    """
    path = folder / CURVE
    if not os.path.lexists(path):
        return []
    if CURVE not in files:
        raise BrokenFileError(f"{path} is not of this run: its record has no {CURVE}")
    if problem := damage(path, files[CURVE]):
        raise BrokenFileError(problem)
    return read_curve(path)


ENOUGH = 4096  # bytes at the end of a curve that surely hold its last rows


def points_so_far(path: Path) -> list[Point]:
    """Return the points of a curve that may still be written, up to the first line that is none.

    The last line may be half written, and is then left out; a curve that cannot be read has no points.
    """
    try:
        lines = read_bytes(path).split(b"\n")[:-1]
    except UserError:
        return []
    points: list[Point] = []
    with suppress(ValidationError):
        for line in lines:
            points.append(Point.model_validate_json(line))
    return points


def last_points(path: Path) -> tuple[Point | None, Point | None]:
    """Return the last point of the training split, and of another split, by the end of the file alone."""
    train, other = None, None
    for point in _from_the_end(path):
        if point.split == "train":
            train = train or point
        else:
            other = other or point
    return train, other


def _from_the_end(path: Path) -> Iterator[Point]:
    try:
        with open_regular(path) as stream:
            start = max(0, stream.seek(0, os.SEEK_END) - ENOUGH)
            stream.seek(start)
            content = stream.read()
    except (OSError, UserError):
        return
    lines = content.split(b"\n")[1 if start else 0 : -1]
    for line in reversed(lines):
        with suppress(ValidationError):
            yield Point.model_validate_json(line)
