"""A loaded run predicts for raw inputs as it did for the test examples, and refuses what could be fed wrongly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nacbench import ArrayTask, LoadedRun, UserError, load, run
from nacbench.data.points.shapes import FAMILIES
from nacbench.data.sequences.listops import decode
from nacbench.inspection.links import spelled_sentences
from nacbench.recording.predictions import column_values
from nacbench.registry import MODELS, TASKS
from nacbench.running.weights import weights_of
from tests.miniatures import encoded, picture

from ..conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, made_mirror: Path) -> Callable[..., LoadedRun]:
    """Trains a tiny network on few examples of a task, once, and loads it."""
    out = tmp_path_factory.mktemp("runs")
    known: dict[str, LoadedRun] = {}

    def load_one(task: str, model: str = "nac", **settings: Any) -> LoadedRun:
        name = f"{task} {model} {settings}"
        if name not in known:
            few = {"name": task, **FEW.get(task, {})}
            short = {"epochs": 1, "warmup_epochs": 0}
            done = run(
                few, model, scale="smoke", training=short, out=out, data_root=made_mirror, quiet=True, **settings
            )
            known[name] = load(done, data_root=made_mirror)
        return known[name]

    return load_one


def channels_last(images: np.ndarray) -> list[np.ndarray]:
    """Stored images, N×C×H×W, as users have them."""
    return [np.ascontiguousarray(np.moveaxis(image, 0, -1)) for image in images]


def without_padding(symbols: np.ndarray) -> list[bytes]:
    return [row.tobytes().rstrip(b"\0") for row in symbols]


def image_and_sentence(arrays: Arrays) -> list[Any]:
    said = spelled_sentences(arrays["test_sentences"], arrays["vocabulary"])
    return list(zip(channels_last(arrays["test_images"]), said, strict=True))


def halves_and_sentence(arrays: Arrays) -> list[Any]:
    return [((left, right), said) for (both, said) in image_and_sentence(arrays) for left, right in [np.split(both, 2, 1)]]


SOME = {"train_examples": 32, "test_examples": 40}
FEW: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("digits", "parametric-shapes", "nlvr-synthetic"), SOME),
    "listops": {"data": "lra"},
}

# For each task, the raw inputs that its stored test examples were made from, or such as give them again
RAW: dict[str, Callable[[Arrays], Any]] = {
    "digits": lambda arrays: channels_last(arrays["test_images"]),
    "cifar10": lambda arrays: np.stack(channels_last(arrays["test_images"])),
    "omniglot": lambda arrays: [255 - image for image in channels_last(arrays["test_images"])],
    "tiny-imagenet": lambda arrays: [Image.fromarray(image) for image in channels_last(arrays["test_images"])],
    "imagenet": lambda arrays: [
        arrays["test_images"].folder / name.decode() for name in arrays["test_images"].names
    ],
    "parametric-shapes": lambda arrays: np.asarray(arrays["test_points"]),
    "geometric-shapes": lambda arrays: list(arrays["test_points"]),
    "listops": lambda arrays: [decode(row) for row in arrays["test_symbols"]],
    "imdb-bytes": lambda arrays: without_padding(arrays["test_symbols"]),
    "lra-pathfinder": lambda arrays: arrays["test_symbols"].reshape(-1, 32, 32),
    "lra-retrieval": lambda arrays: [
        tuple(text.split(b"\xff")) for text in without_padding(arrays["test_symbols"])
    ],
    "nlvr-synthetic": image_and_sentence,
    "nlvr2": halves_and_sentence,
}


def test_inputs(loaded: LoadedRun, raw: Callable[[Arrays], Any]) -> Any:
    """The raw inputs of the test examples in use, in their order."""
    assert isinstance(loaded.task, ArrayTask)
    arrays: Arrays = dict(loaded.task.arrays(loaded.data_root).arrays)
    used = loaded.task.splits(arrays)["test"].indices
    rows = {name: arrays[name][used] for name in arrays if name.startswith("test_") and len(used) < len(arrays[name])}
    return raw(arrays | rows)


test_inputs.__test__ = False  # type: ignore[attr-defined]


def stored(loaded: LoadedRun, column: str) -> np.ndarray:
    """A column of the run's predictions on test."""
    import pyarrow.parquet as pq

    table = pq.read_table(loaded.folder / "predictions.parquet")
    there = np.array(table.column("split").to_pylist()) == "test"
    return column_values(table.column(column))[there]


@pytest.mark.parametrize("task", RAW)
def test_predictions_for_the_test_examples_are_those_that_the_run_stored(
    task: str, trained: Callable[..., LoadedRun]
) -> None:
    loaded = trained(task, "transformer")
    found = loaded.predict(test_inputs(loaded, RAW[task]))
    assert found.probabilities is not None
    np.testing.assert_array_equal(found.predicted, stored(loaded, "prediction"))
    np.testing.assert_array_equal(found.probabilities.max(axis=1), stored(loaded, "confidence").astype(np.float32))
    assert loaded.evaluate("test").metrics == loaded.record.metrics["test"]
