"""Digits-C: OOD robustness on the test images of the digits under fifteen corruptions of the suite's own."""

from dataclasses import dataclass

from nacbench.protocols.corrupted import CorruptedTask
from nacbench.tasks.digits import Digits


@dataclass(frozen=True, kw_only=True)
class DigitsC(CorruptedTask):
    """There are no published corruptions for images of 8×8 pixels."""

    title = "Digits-C (ours)"
    classes = Digits.classes
    licence = Digits.licence
    citation = f"{Digits.citation}; Hendrycks and Dietterich 2019, arXiv 1903.12261"
    provenance = f"{Digits.provenance}; corrupted by nacbench, by its own definitions"
    trained_on = "digits"
    trained_class = Digits
    presets = {"smoke": {"examples": 32}, "mini": {}, "paper": {}}
