"""Omniglot's sets as its repository has them: a drawing shows its alphabet, character and drawer as bars of ink."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

SMALL1 = ("Balinese", "Early_Aramaic", "Latin")
SMALL2 = ("Korean", "Latin", "Sanskrit")  # Latin is in both, with the same drawings
LARGE = ("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin", "Sanskrit", "Tagalog")
EVALUATION = ("Angelic", "Tibetan")
KNOWN = tuple(sorted({*LARGE, *EVALUATION}))
CHARACTERS = 2
DRAWERS = 20
SIDE = 105


def drawing(alphabet: str, character: int, drawer: int) -> bytes:
    """A PNG of one bit: three bars, black on white, whose lengths are the three numbers."""
    ink = np.ones((SIDE, SIDE), bool)
    for row, number in enumerate((KNOWN.index(alphabet), character, drawer)):
        ink[35 * row + 5 : 35 * row + 30, : 4 * (1 + number)] = False
    stream = io.BytesIO()
    Image.fromarray(ink).save(stream, "PNG")
    return stream.getvalue()


def numbers_of(image: np.ndarray) -> tuple[int, int]:
    """Alphabet and character of a drawing that was read (1×28×28, bright ink)."""
    dark = image[0].astype(float) / 255
    sums = [dark[row].sum() * SIDE / 28 / 4 - 1 for row in (4, 14)]
    return round(sums[0]), round(sums[1])


def images(name: str, alphabets: Sequence[str], top: str | None = None) -> dict[str, bytes]:
    """A zip's content: ``NAME/ALPHABET/characterNN/NNNN_DD.png``, drawers not in the order of their numbers."""
    files = {}
    for alphabet in alphabets:
        for character in range(CHARACTERS):
            first = 1 + KNOWN.index(alphabet) * CHARACTERS + character
            for drawer in reversed(range(1, DRAWERS + 1)):
                path = (
                    f"{name if top is None else top}/{alphabet}/character{character + 1:02}/{first:04}_{drawer:02}.png"
                )
                files[path] = drawing(alphabet, character, drawer)
    return files


def sets() -> dict[str, dict[str, bytes]]:
    """The four sets by the names of their zips."""
    known = {"background_small1": SMALL1, "background_small2": SMALL2, "background": LARGE, "evaluation": EVALUATION}
    return {f"images_{name}": images(f"images_{name}", own) for name, own in known.items()}


def strokes() -> dict[str, bytes]:
    """The strokes of the same drawings, which nothing reads."""
    return {"strokes_background_small1/Balinese/character01/0001_01.txt": b"START\n1.0,-2.0,0.0\nBREAK\n"}
