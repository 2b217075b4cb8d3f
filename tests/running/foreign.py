"""Plug-ins that work, for tests that change a part of one, and a run of them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import nacbench
from nacbench.errors import UserError
from nacbench.recording.read_record import read_failure
from nacbench.registry import MODELS, PROTOCOLS, TASKS

TASK = """
import sys
from dataclasses import dataclass
import numpy as np
from nacbench.contracts.task import Evaluation
from nacbench.contracts.spec import TaskSpec, Tokens
from nacbench.data.images.recipe import ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.data.live import Classification
from nacbench.data.mirror.cache import Arrays


def examples(count):
    labels = np.arange(count) % 3
    images = np.repeat(labels * 80, 64).reshape(count, 1, 8, 8).astype(np.uint8)
    return images, labels.astype(np.int16)


def good():
    return {f"{split}_{name}": array for split, count in (("train", 24), ("test", 9))
            for name, array in zip(("images", "labels"), examples(count))}


@dataclass(frozen=True, kw_only=True)
class Mine(ImageTask):
    title = "Mine"
    classes = 3
    licence = citation = provenance = "made"
    shape = (1, 8, 8)
    mean = std = (0.5,)
    patch: int = 1
    stem_width: int = 4
    position_dim: int = 4
    recipes = dict.fromkeys(("smoke", "mini", "paper"), ImageRecipe(epochs=1, batch_size=8, lr=1e-3))

    def arrays(self, data_root):
        return Arrays(good(), "made")
"""
MODEL = """
import sys
from dataclasses import dataclass
import torch
from torch import nn
from nacbench.contracts.model import Model


class Core(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.logits = nn.Linear(spec.token_dim, spec.classes)

    def forward(self, tokens, mask=None):
        return self.logits(tokens.mean(1))


@dataclass(frozen=True, kw_only=True)
class Mine(Model):
    title = "Mine"

    def build(self, spec):
        return Core(spec)
"""


POINTS = """
import numpy as np
from dataclasses import dataclass
from nacbench.data.mirror.cache import Arrays
from nacbench.data.points.recipe import PointRecipe
from nacbench.data.points.task import PointTask

@dataclass(frozen=True, kw_only=True)
class Points(PointTask):
    title = "Points"
    classes = 2
    licence = citation = provenance = "made"
    stored = 4
    points: int = 4
    recipes = dict.fromkeys(("smoke", "mini", "paper"), PointRecipe(epochs=1, batch_size=2, lr=1e-3))

    def arrays(self, data_root):
        points = np.zeros((4, 4, 3), np.float32)
        points[1, 2, 0] = np.nan
        labels = np.arange(4, dtype=np.int16) % 2
        named = {"points": points, "labels": labels}
        return Arrays({f"{s}_{name}": named[name] for s in ("train", "test") for name in named}, "made")
"""
SYMBOLS = """
import numpy as np
from dataclasses import dataclass
from nacbench.contracts.recipe import Recipe
from nacbench.data.mirror.cache import Arrays
from nacbench.data.sequences.task import SequenceTask

@dataclass(frozen=True, kw_only=True)
class Symbols(SequenceTask):
    title = "Symbols"
    modality = "symbols"
    classes = 2
    licence = citation = provenance = "made"
    vocabulary = 5
    recipes = dict.fromkeys(("smoke", "mini", "paper"), Recipe(epochs=1, batch_size=2, lr=1e-3))

    def longest(self):
        return 6

    def arrays(self, data_root):
        symbols = np.ones((4, 6), np.int16)
        symbols[1, 2] = 99
        labels = np.arange(4, dtype=np.int16) % 2
        named = {"symbols": symbols, "labels": labels}
        return Arrays({f"{s}_{name}": named[name] for s in ("train", "test") for name in named}, "made")
"""


def with_lines(source: str, lines: str) -> str:
    """A plug-in with lines added to the body of its class."""
    return source + "".join(f"    {line}\n" for line in lines.splitlines())


def run(tmp_path: Path, task: str = TASK, model: str = MODEL, settings: Mapping[str, Any] | None = None) -> None:
    """Run a made task with a made model, both called ``mine``."""
    files = []
    for kind, source in (("task", task), ("model", model)):
        folder = tmp_path / kind
        folder.mkdir(parents=True)
        files.append(folder / f"my_{kind}.py")
        files[-1].write_text(source)
    nacbench.run(
        "my-task",
        "my-model",
        scale="smoke",
        precision="fp32",
        plugins=files,
        out=tmp_path / "runs",
        data_root=tmp_path,
        quiet=True,
        **(settings or {}),
    )


def assert_refused(tmp_path: Path, message: str, start: Callable[[], None], kind: type[UserError] = UserError) -> None:
    """Check that a run raises one line, and leaves that in a failure file and no record, if it has an id."""
    with pytest.raises(kind) as refused:
        start()
    assert re.search(message, str(refused.value)), str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.rglob("record.json"))
    for path in tmp_path.rglob("failure.json"):
        assert re.search(message, read_failure(path).reason)


def forget() -> None:
    """Forget the plug-ins of a test, whose names the next one gives to others."""
    for registry in (TASKS, MODELS, PROTOCOLS):
        registry.forget_files()
