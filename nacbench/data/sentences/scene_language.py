"""Statements about scenes of three boxes: what they mean, and how they are said."""

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
    """One thing in a scene: box, row and column of the box's 3×3 places (counted from 0, top left), shape, colour."""

    box: int
    row: int
    column: int
    shape: str
    colour: str


Scene = Sequence[Item]


@dataclass(frozen=True)
class Kind:
    """Some items: of a shape, of a colour, or both; None stands for any."""

    shape: str | None
    colour: str | None

    def fits(self, item: Item) -> bool:
        """Whether an item is one of them."""
        return self.shape in (None, item.shape) and self.colour in (None, item.colour)

    def count(self, scene: Scene, box: int | None = None) -> int:
        """How many a scene has, or one of its boxes."""
        return sum(self.fits(item) for item in scene if box in (None, item.box))

    def noun(self, number: int = 1) -> str:
        """``blue circle``, ``yellow items`` …"""
        words = [self.colour, self.shape or "item"]
        return " ".join(word for word in words if word) + ("s" if number != 1 else "")


class Statement(Protocol):
    """Something that is true of a scene or not, and sentences that say it."""

    def holds(self, scene: Scene) -> bool:
        """Whether it is true."""

    def sentences(self) -> tuple[str, str]:
        """Two ways to say it: the plain one, and another with the same meaning."""


@dataclass(frozen=True)
class Exactly:
    """There are so many of a kind in the whole picture."""

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
    """There are so many of a kind in the whole picture, or more."""

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
    """A box has one of a kind, or more."""

    box: int
    kind: Kind

    def holds(self, scene: Scene) -> bool:
        return self.kind.count(scene, self.box) > 0

    def sentences(self) -> tuple[str, str]:
        box, noun = BOXES[self.box], self.kind.noun()
        return (f"the {box} box has a {noun}", f"there is a {noun} in the {box} box")


@dataclass(frozen=True)
class CountInBox:
    """A box has exactly so many of a kind."""

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
    """There are items of a shape, and all of them have a colour."""

    shape: str
    colour: str

    def holds(self, scene: Scene) -> bool:
        colours = {item.colour for item in scene if item.shape == self.shape}
        return colours == {self.colour}

    def sentences(self) -> tuple[str, str]:
        return (f"all {self.shape}s are {self.colour}", f"every {self.shape} is {self.colour}")


@dataclass(frozen=True)
class Above:
    """Somewhere an item of a kind is in a higher row than one of another kind, in the same box."""

    upper: Kind
    lower: Kind

    def holds(self, scene: Scene) -> bool:
        return any(
            self.upper.fits(a) and self.lower.fits(b) and a.box == b.box and a.row < b.row for a in scene for b in scene
        )

    def sentences(self) -> tuple[str, str]:
        upper, lower = self.upper.noun(), self.lower.noun()
        return (f"a {upper} is above a {lower}", f"a {lower} is below a {upper}")
