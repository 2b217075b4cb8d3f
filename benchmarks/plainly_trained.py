"""Benchmark: is a rival trained worse by nacbench than its library's module would be by a user of that library?

    python benchmarks/plainly_trained.py [--seeds N] [MODEL …]        two hours of one core for all

On the handwritten digits that come with scikit-learn, with the same training and test examples for both. nacbench's
side is `nacbench run --task digits --scale mini`. The library's side is the module of its library as in
``rivals.py``, with plain Adam at 1e-3 and batches of 32, as the READMEs and examples of these libraries train, for as
many epochs. A public figure on these data: scikit-learn's example "Recognizing hand-written digits" has an accuracy of
0.97 for a support vector machine (https://scikit-learn.org/stable/auto_examples/classification/), trained on half of
all scans and tested on the other half.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rivals import LIBRARIES

import nacbench
from nacbench.contracts.model import spec_for
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Scale
from nacbench.registry import MODELS, TASKS
from nacbench.statistics import t_interval

TASK = "digits"
SCALE: Scale = "mini"
LR, BATCH = 1e-3, 32


def inputs_of(images: np.ndarray, spec: TaskSpec, reads: str) -> torch.Tensor:
    """Return images N×1×8×8 in 0…1; or their pixels as tokens N×64×17: brightness, and row and column as one-hots."""
    pixels = torch.from_numpy(images.reshape(len(images), 1, 8, 8).astype(np.float32)) / float(images.max())
    if reads == "image":
        return pixels
    places = torch.cat([torch.eye(8).repeat_interleave(8, 0), torch.eye(8).repeat(8, 1)], 1)
    return torch.cat([pixels.reshape(len(images), 64, 1), places.expand(len(images), -1, -1)], 2)


def plainly(name: str, seed: int, epochs: int) -> float:
    """Train the library's module and return its accuracy on the test examples."""
    torch.manual_seed(seed)
    model = MODELS.get(name).configured("model", SCALE, {})
    task: Any = TASKS.training(TASK).configured("task", SCALE, {})
    spec = spec_for(model, task.spec())
    arrays = task.arrays(Path()).arrays
    train, test = (
        (
            inputs_of(arrays[f"{part}_images"], spec, model.reads),
            torch.from_numpy(arrays[f"{part}_labels"].astype(np.int64)),
        )
        for part in ("train", "test")
    )
    own_spec = spec if model.reads == "image" else TaskSpec(modality="image", classes=10, max_tokens=64, token_dim=17)
    net = LIBRARIES[name](model, own_spec)
    net(train[0][:2])  # lazy layers learn their size
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    for _ in range(epochs):
        for batch in torch.randperm(len(train[1])).split(BATCH):
            loss = F.cross_entropy(net(train[0][batch]), train[1][batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return float((net(test[0]).argmax(1) == test[1]).float().mean())


def by_nacbench(name: str, seed: int, folder: Path) -> float:
    """Return the test accuracy of nacbench's run."""
    outcome = nacbench.run(TASK, name, scale=SCALE, seed=seed, out=folder, threads=1, quiet=True)
    return float(outcome.record.metrics["test"]["accuracy"])


def main() -> None:
    """Print both accuracies of each model, and their difference paired by seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # it takes layers apart that have other modules inside
    recipe: Any = TASKS.training(TASK).recipes[SCALE]
    epochs = int(recipe.epochs)
    print(
        "| model | nacbench | its library's module | difference in points |", "| --- | ---: | ---: | ---: |", sep="\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.models or LIBRARIES:
            pairs = [
                (by_nacbench(name, seed, Path(folder)), plainly(name, seed, epochs)) for seed in range(asked.seeds)
            ]
            ours, theirs = (100 * np.array(side) for side in zip(*pairs, strict=True))
            lead = t_interval([float(one) for one in ours - theirs])
            sides = f"{ours.mean():.2f} | {theirs.mean():.2f}"
            print(f"| {name} | {sides} | {lead.value:+.2f} ± {lead.half_width:.2f} |", flush=True)


if __name__ == "__main__":
    main()
