"""A loaded run predicts for raw inputs as it did for the test examples, and refuses what could be fed wrongly."""

from collections.abc import Callable, Iterator
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
from nacbench.registry import TASKS
from tests.miniatures import encoded, make_nlvr2, picture

from ..conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, made_mirror: Path) -> Iterator[Callable[..., LoadedRun]]:
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

    yield load_one
    TASKS.forget_files()


def channels_last(images: np.ndarray) -> list[np.ndarray]:
    """Stored images, N×C×H×W, as users have them."""
    return [np.ascontiguousarray(np.moveaxis(image, 0, -1)) for image in images]


def without_padding(symbols: np.ndarray) -> list[bytes]:
    return [row.tobytes().rstrip(b"\0") for row in symbols]


def image_and_sentence(arrays: Arrays) -> list[Any]:
    said = spelled_sentences(arrays["test_sentences"], arrays["vocabulary"])
    return list(zip(channels_last(arrays["test_images"]), said, strict=True))


def halves_and_sentence(arrays: Arrays) -> list[Any]:
    return [(tuple(np.split(both, 2, axis=1)), said) for both, said in image_and_sentence(arrays)]


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
    "imagenet": lambda arrays: [arrays["test_images"].folder / name.decode() for name in arrays["test_images"].names],
    "parametric-shapes": lambda arrays: np.asarray(arrays["test_points"]),
    "geometric-shapes": lambda arrays: list(arrays["test_points"]),
    "listops": lambda arrays: [decode(row) for row in arrays["test_symbols"]],
    "imdb-bytes": lambda arrays: without_padding(arrays["test_symbols"]),
    "lra-pathfinder": lambda arrays: arrays["test_symbols"].reshape(-1, 32, 32),
    "lra-retrieval": lambda arrays: [tuple(text.split(b"\xff")) for text in without_padding(arrays["test_symbols"])],
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


@pytest.mark.parametrize(
    ("file", "task", "column"), [("diabetes", "diabetes", "output"), ("chord_tones", "chord-tones", "scores")]
)
def test_values_and_labels_are_predicted_as_they_were_stored(
    file: str, task: str, column: str, trained: Callable[..., LoadedRun]
) -> None:
    loaded = trained(task, "transformer", plugins=[EXAMPLES / f"{file}.py"])
    live: Any = loaded.task.build(loaded.data_root, loaded.config.training)
    split = live.splits["test"]
    (name,) = split.inputs
    raw = split.inputs[name][split.indices]
    if task == "diabetes":  # in their own units
        from sklearn.datasets import load_diabetes

        raw = load_diabetes(scaled=False).data[4::5]
    found = loaded.predict(raw)
    if task == "diabetes":
        assert found.probabilities is None
        np.testing.assert_array_equal(found.predicted, stored(loaded, column).astype(np.float32))
        assert found[0].label == f"{found.predicted[0, 0]:.4g}"
    else:
        assert found.probabilities is not None
        np.testing.assert_array_equal(found.outputs, stored(loaded, column).astype(np.float32))
        np.testing.assert_array_equal(found.predicted, found.probabilities > 0.5)
        assert found.names == ("3", "5", "7", "11", "13", "17")
    assert loaded.evaluate("test").metrics == loaded.record.metrics["test"]


def test_one_input_gives_one_prediction_and_a_batch_as_many(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("digits", "transformer")
    images = test_inputs(loaded, RAW["digits"])
    one, many = loaded.predict(images[0]), loaded.predict(images[:3])
    assert (len(one), len(many)) == (1, 3)
    assert one.label == many.labels[0] == loaded.names[int(many.predicted[0])]
    assert [own.label for own in many] == many.labels == many[:3].labels == many.to_frame()["label"].tolist()
    assert many.to_frame().columns.tolist() == ["label", *"0123456789"]
    assert many.probabilities is not None
    np.testing.assert_allclose(many.probabilities.sum(axis=1), 1, atol=1e-6)
    assert repr(many).startswith("Predictions(3: ")
    assert not loaded.net.training
    with pytest.raises(UserError, match="there are 3 predictions"):
        _ = many.label
    with pytest.raises(UserError, match="the batch is empty"):
        loaded.predict([])
    with pytest.raises(UserError, match="example 1: an image is an array of uint8"):
        loaded.predict([images[0], images[1] / 255])


def test_an_image_is_the_same_as_an_array_a_picture_a_file_and_its_bytes(
    trained: Callable[..., LoadedRun], tmp_path: Path
) -> None:
    loaded = trained("cifar10", "transformer")
    image = picture(1, 32, 32)
    image.save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    ways = [np.asarray(image), image, image.convert("RGBA"), path, str(path), encoded(image)]
    found = loaded.predict(ways)
    assert (found.outputs == found.outputs[0]).all()
    assert set(found.labels) <= set(loaded.names)


def test_a_cloud_is_centred_and_scaled_as_the_task_s_own(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("parametric-shapes", "transformer")
    cloud = test_inputs(loaded, RAW["parametric-shapes"])[0]
    there, moved = loaded.predict([cloud, 3 * cloud.astype(np.float64) + 5])
    np.testing.assert_allclose(there.outputs, moved.outputs, atol=1e-2)  # bf16
    assert loaded.names == FAMILIES


def image(**changes: Any) -> np.ndarray:
    return np.zeros(changes.get("shape", (8, 8)), changes.get("dtype", np.uint8))


WRONG = [
    ("digits", image(dtype=np.float64), "uint8, pixels from 0 .* not of float64: nothing says which number is white"),
    ("digits", image(dtype=np.int64), "not of int64"),
    ("digits", image(dtype=bool), "not of bool"),
    ("digits", image(shape=(16, 8)), "8×16 pixels, not 8×8, as images of Digits have"),
    ("digits", image(shape=(8,)), "height×width or height×width×3, not 8"),
    ("digits", image(shape=(0, 8)), "has no pixels"),
    ("digits", image(shape=(8, 8, 4)), "not 8×8×4"),
    ("digits", Image.new("F", (8, 8)), "nothing says what is white"),
    ("digits", Image.new("I", (8, 8)), "nothing says what is white"),
    ("digits", "nowhere.png", "nowhere.png cannot be read"),
    ("digits", b"not an image", "not an image file of a known format"),
    ("digits", 3.5, "not float 3.5"),
    ("digits", None, "not NoneType"),
    ("cifar10", image(shape=(3, 32, 32)), r"not 3×32×32; move the channels to the end with .transpose\(1, 2, 0\)"),
    ("lra-image", image(shape=(28, 28)), "28×28 pixels, not 32×32"),
    ("parametric-shapes", np.zeros((1024, 3)), "all points of a cloud coincide"),
    ("parametric-shapes", np.ones((1024, 4)), "N×3 of floating-point numbers, not float64 1024×4"),
    ("parametric-shapes", np.ones((1024, 3), int), "not int64 1024×3"),
    ("parametric-shapes", np.ones((10, 3)), "1,024 points in random order, not 10$"),
    ("parametric-shapes", np.ones((2000, 3)), r"not 2,000; take some at random: points\[.*\(2000\)\[:1024\]\]"),
    ("parametric-shapes", np.full((1024, 3), np.nan), "point 0 is .nan, nan, nan.; coordinates must be finite"),
    ("parametric-shapes", 1e308 * (np.arange(3072) % 2).reshape(-1, 3), "too large or too small"),
    ("parametric-shapes", [[0.0, 0.0, 0.0]], "not list"),
    ("listops-short", "[MAX 2 9", "has no value: token 1 '.MAX' is not closed"),
    ("listops-short", "[MAX 2 ten ]", "token 3 'ten' is unknown"),
    ("listops-short", "[MAX " + "1 " * 300 + "]", "has 302 symbols .* at most 200"),
    ("listops-short", 7, "str or bytes, not int"),
    ("imdb-bytes", "  ", "the text is empty"),
    ("imdb-bytes", None, "str or bytes, not NoneType"),
    ("lra-retrieval", "one text", r"\(document, document\), a tuple, not str"),
    ("lra-retrieval", ("a", b"\xff"), "not UTF-8"),
    ("nlvr-synthetic", image(), r"\(image, sentence\), a tuple, not ndarray"),
    ("nlvr-synthetic", (image(shape=(24, 72, 3)), b"box"), r"a sentence is text \(str\), not bytes"),
    ("nlvr-synthetic", (image(shape=(24, 72, 3)), "zebra"), "no word of the sentence 'zebra' is in the vocabulary"),
    ("nlvr-synthetic", (image(shape=(24, 70, 3)), "box"), "70×24 pixels, not 72×24"),
    ("nlvr2", (image(), "box"), r"is \(\(left, right\), sentence\)"),
]


@pytest.mark.parametrize(("task", "raw", "message"), WRONG)
def test_what_could_be_fed_wrongly_is_refused_in_one_line(task: str, raw: Any, message: str) -> None:
    own = TASKS.get(task)()
    assert isinstance(own, ArrayTask)
    with pytest.raises(UserError, match=message):
        own.example(raw, {"vocabulary": np.array([b"box"])})


def test_colour_images_in_a_row_are_never_taken_for_grey_ones() -> None:
    """A stack N×32×32 for a colour task could as well be one image with its channels in front."""
    cifar: Any = TASKS.get("cifar10")()
    assert cifar.batch_of(image(shape=(3, 32, 32))) is None
    assert len(cifar.batch_of(image(shape=(5, 32, 32, 3)))) == 5
    digits: Any = TASKS.get("digits")()
    assert len(digits.batch_of(image(shape=(5, 8, 8)))) == 5
    assert digits.batch_of(image(shape=(8, 8, 1))) is None


@pytest.mark.parametrize("name", sorted(TASKS.entries()))
def test_every_task_of_the_suite_that_trains_says_how_a_raw_input_becomes_an_example(name: str) -> None:
    task = TASKS.get(name)
    if issubclass(task, ArrayTask):
        assert task.example is not ArrayTask.example
        assert len(task.class_names) in (0, task.classes)


def test_a_task_of_others_that_does_not_say_it_is_a_clear_line(
    trained: Callable[..., LoadedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = trained("digits", "transformer")
    monkeypatch.setattr(type(loaded.task), "example", ArrayTask.example)
    with pytest.raises(UserError, match="Digits does not say how a raw input becomes an example"):
        loaded.predict(image())


def test_a_circuit_and_its_attention_are_arrays(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("digits", "nac")
    core: Any = loaded.net.core
    circuit = loaded.circuit
    modules = core.module_count
    assert circuit.links.shape == (modules, modules)
    assert ((circuit.links >= 0) & (circuit.links <= 1)).all()
    assert len(circuit.read_in_codes) == len(circuit.processor_codes) == circuit.readout.shape[1] == modules
    assert repr(circuit).startswith(f"CircuitArrays(links {modules}×{modules}, ")
    seen = loaded.attention(test_inputs(loaded, RAW["digits"])[:35])  # more than a batch
    assert seen.tokens.shape == (35, 16)
    for shares in (seen.tokens, seen.reading, seen.modules):
        np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=2e-2)
    assert seen.modules.shape[1] == seen.links.shape[1] == len(seen.readout) == 35
    with pytest.raises(UserError, match="has one circuit, which no input changes"):
        loaded.circuit_for(image())


def test_a_circuit_that_a_sentence_makes_has_one_for_each_input(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("nlvr-synthetic", "nac")
    inputs = test_inputs(loaded, image_and_sentence)[:20]
    circuits = loaded.circuit_for(inputs)
    assert len(circuits.links) == len(circuits.readout_codes) == 20
    assert not np.array_equal(circuits.links[0], circuits.links[1])
    assert loaded.attention(inputs).tokens.shape[0] == 20
    with pytest.raises(UserError, match="makes a circuit from each sentence; give some: circuit_for"):
        _ = loaded.circuit


def test_other_models_have_no_circuit(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("digits", "transformer")
    for look in (lambda: loaded.circuit, lambda: loaded.circuit_for(image()), lambda: loaded.attention(image())):
        with pytest.raises(UserError, match="is of transformer, which has no circuit"):
            look()


def test_attention_on_sequences_of_several_lengths_is_padded(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("imdb-bytes", "nac")
    texts = ["x" * 200, *["short"] * 40]  # the second batch is shorter
    tokens = loaded.attention(texts).tokens
    assert tokens.shape == (41, 25)
    np.testing.assert_allclose(tokens.sum(axis=1), 1, atol=2e-2)
    assert loaded.predict(np.array(texts)).labels == loaded.predict(texts).labels


def test_splits_are_named_and_only_the_run_s_own_data_is_scored(
    trained: Callable[..., LoadedRun], made_mirror: Path, tmp_path: Path
) -> None:
    loaded = trained("digits", "transformer")
    assert loaded.evaluate("validation").metrics == loaded.record.metrics["validation"]
    with pytest.raises(UserError, match="unknown split 'tset'; did you mean 'test'"):
        loaded.evaluate("tset")
    (tmp_path / "data").mkdir()
    sentences = trained("nlvr2", "transformer")
    elsewhere = load(sentences.folder, data_root=tmp_path / "data")
    with pytest.raises(UserError, match="nlvr2"):
        elsewhere.predict(test_inputs(sentences, halves_and_sentence)[0])
    other = tmp_path / "other"
    make_nlvr2(other)
    (file,) = other.rglob("train.json")
    file.write_text(file.read_text().replace("dog", "cat").replace("two", "three"))
    with pytest.raises(UserError, match="is not that of run"):
        load(sentences.folder, data_root=other).evaluate("test")


def test_a_run_is_found_by_the_beginning_of_its_id(trained: Callable[..., LoadedRun]) -> None:
    loaded = trained("digits", "transformer")
    store = loaded.folder.parents[2]
    assert load(loaded.record.run_id[:8], out=store).record == loaded.record
    assert repr(loaded) == f"LoadedRun(digits · transformer · smoke · seed 0, {loaded.folder})"
    with pytest.raises(UserError, match=r"no id in .* starts with it"):
        load("zzzz", out=store)
