"""Statements about synthetic scenes: their meaning (true or false of a scene) and two English sentences for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SHAPES = ("square", "circle", "triangle")
COLOURS = ("yellow", "blue", "black")
BOXES = ("left", "middle", "right")
NUMBERS = ("no", "one", "two", "three", "four")


@dataclass(frozen=True)
class Item:
    """One item of a scene: box, row and column among the box's 3×3 places (from 0, top left), shape and colour."""

    box: int
    row: int
    column: int
    shape: str
    colour: str


Scene = Sequence[Item]


@dataclass(frozen=True)
class Kind:
    """A kind of items: of a shape, a colour, or both; None stands for any."""

    shape: str | None
    colour: str | None

    def fits(self, item: Item) -> bool:
        """Whether an item is of this kind."""
        return self.shape in (None, item.shape) and self.colour in (None, item.colour)

    def count(self, scene: Scene, box: int | None = None) -> int:
        """Return the number of items of this kind in a scene, or in one of its boxes."""
        return sum(self.fits(item) for item in scene if box in (None, item.box))

    def noun(self, number: int = 1) -> str:
        """Return the noun phrase: ``blue circle``, ``yellow items``, …"""
        words = [self.colour, self.shape or "item"]
        return " ".join(word for word in words if word) + ("s" if number != 1 else "")


class Statement(Protocol):
    """A statement that is true or false of a scene, with sentences that express it."""

    def holds(self, scene: Scene) -> bool:
        """Whether the statement is true of the scene."""

    def sentences(self) -> tuple[str, str]:
        """Return two sentences with this meaning: a plain one and a paraphrase."""


@dataclass(frozen=True)
class Exactly:
    """The picture has exactly ``number`` items of a kind."""

    number: int
    kind: Kind

    def holds(self, scene: Scene) -> bool:
        return self.kind.count(scene) == self.number

    def sentences(self) -> tuple[str, str]:
        number, noun = NUMBERS[self.number], self.kind.noun(self.number)
        verb = "is" if self.number == 1 else "are"
        return (
            f"there {verb} exactly {number} {noun}",
            f"exactly {number} {noun} can be seen",
        )


@dataclass(frozen=True)
class AtLeast:
    """The picture has at least ``number`` items of a kind."""

    number: int
    kind: Kind

    def holds(self, scene: Scene) -> bool:
        return self.kind.count(scene) >= self.number

    def sentences(self) -> tuple[str, str]:
        number, noun = NUMBERS[self.number], self.kind.noun(self.number)
        if self.number == 1:
            return (f"there is a {noun}", f"a {noun} can be seen")
        return (f"there are at least {number} {noun}", f"{number} {noun} or more can be seen")


@dataclass(frozen=True)
class InBox:
    """A box has at least one item of a kind."""

    box: int
    kind: Kind

    def holds(self, scene: Scene) -> bool:
        return self.kind.count(scene, self.box) > 0

    def sentences(self) -> tuple[str, str]:
        box, noun = BOXES[self.box], self.kind.noun()
        return (f"the {box} box has a {noun}", f"there is a {noun} in the {box} box")


@dataclass(frozen=True)
class CountInBox:
    """A box has exactly ``number`` items of a kind."""

    number: int
    box: int
    kind: Kind

    def holds(self, scene: Scene) -> bool:
        return self.kind.count(scene, self.box) == self.number

    def sentences(self) -> tuple[str, str]:
        number, box, noun = NUMBERS[self.number], BOXES[self.box], self.kind.noun(self.number)
        return (f"the {box} box has exactly {number} {noun}", f"exactly {number} {noun} can be seen in the {box} box")


@dataclass(frozen=True)
class AllAre:
    """There is an item of the shape, and all items of the shape have the colour."""

    shape: str
    colour: str

    def holds(self, scene: Scene) -> bool:
        colours = {item.colour for item in scene if item.shape == self.shape}
        return colours == {self.colour}

    def sentences(self) -> tuple[str, str]:
        return (f"all {self.shape}s are {self.colour}", f"every {self.shape} is {self.colour}")


@dataclass(frozen=True)
class Above:
    """In some box an item of one kind is in a higher row than an item of another kind."""

    upper: Kind
    lower: Kind

    def holds(self, scene: Scene) -> bool:
        return any(
            self.upper.fits(a) and self.lower.fits(b) and a.box == b.box and a.row < b.row for a in scene for b in scene
        )

    def sentences(self) -> tuple[str, str]:
        upper, lower = self.upper.noun(), self.lower.noun()
        return (f"a {upper} is above a {lower}", f"a {lower} is below a {upper}")
