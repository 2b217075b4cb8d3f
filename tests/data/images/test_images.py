"""Live image tasks: splits, batches, normalisation; the digits and the real CIFAR-10."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor, nn

from nacbench.contracts.spec import Batch
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.data.images.task import ImageTask
from nacbench.data.live import Classification, Split
from nacbench.errors import UserError
from nacbench.registry import TASKS

MIRROR = Path(__file__).resolve().parents[4] / "shared" / "data"
RECIPE = ImageRecipe(epochs=1, batch_size=32, lr=0.1)
needs_cifar10 = pytest.mark.skipif(
    not (MIRROR / "uoft-cs" / "cifar10").is_dir(), reason=f"the real CIFAR-10 is not in {MIRROR}"
)


def image_task(name: str, **options: Any) -> ImageTask:
    """A built-in image task with these options."""
    task = TASKS.get(name).configured("task", "paper", options)
    assert isinstance(task, ImageTask)
    return task


def digits(**options: Any) -> ImageTask:
    """The digits with small tokens."""
    return image_task("digits", stem_width=8, position_dim=8, **options)


def live(task: ImageTask, recipe: ImageRecipe = RECIPE, root: Path = Path("nowhere")) -> Classification:
    """The task with its data."""
    built = task.build(root, recipe)
    assert isinstance(built, Classification)
    return built


def split_of(count: int) -> Split:
    """Examples whose one pixel and label are their number."""
    pixels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Split({"images": pixels}, np.arange(count, dtype=np.int16))


class Recorder(nn.Module):
    """Keeps the images that it is shown, and always says class 3."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> Tensor:
        self.seen.append(image)
        return torch.eye(10)[3].expand(len(image), 10)


def test_take_returns_images_and_labels_at_positions() -> None:
    inputs, labels = split_of(9).take(np.array([4, 0, 4]))
    images = inputs["images"]
    assert images.flatten().tolist() == labels.tolist() == [4, 0, 4]
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)


@given(st.integers(1, 250), st.integers(1, 300))
def test_spread_keeps_distinct_examples_in_order(size: int, count: int) -> None:
    chosen = split_of(size).spread(count).indices
    assert len(chosen) == min(count, size)
    assert np.all(np.diff(chosen) > 0)
    assert chosen.min() == 0
    assert chosen.max() < size


def test_spread_is_even() -> None:
    assert split_of(12).spread(4).indices.tolist() == [0, 3, 6, 9]
    assert split_of(10).spread(4).indices.tolist() == [0, 2, 5, 7]


@given(st.integers(2, 250), st.data())
def test_hold_out_is_disjoint_and_complete(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, size - 1))
    rest, held = split_of(size).hold_out(count)
    assert (len(rest), len(held)) == (size - count, count)
    assert sorted([*rest.indices, *held.indices]) == list(range(size))


def test_hold_out_of_a_part_stays_within_it() -> None:
    part = split_of(40).spread(10)
    rest, held = part.hold_out(4)
    assert sorted([*rest.indices, *held.indices]) == part.indices.tolist()
    assert len(held) == 4


@pytest.mark.parametrize("count", [5, 6])
def test_hold_out_must_leave_examples(count: int) -> None:
    message = rf"task\.validation_examples = {count}: must be less than the 5 training examples"
    with pytest.raises(UserError, match=message):
        split_of(5).hold_out(count)


def test_digits_splits_have_fixed_sizes() -> None:
    assert live(digits()).split_sizes == {"train": 1199, "validation": 299, "test": 299}


def test_digits_splits_are_disjoint_and_complete() -> None:
    stored = load_digits()
    scans = np.rint(stored.images * (255 / 16)).astype(np.uint8)
    arrays = digits().arrays(Path("nowhere")).arrays
    for name, turns in (("train", (0, 1, 2, 3)), ("validation", (4,)), ("test", (5,))):
        chosen = np.isin(np.arange(1797) % 6, turns)
        np.testing.assert_array_equal(arrays[f"{name}_images"][:, 0], scans[chosen])
        np.testing.assert_array_equal(arrays[f"{name}_labels"], stored.target[chosen])


def test_no_digits_image_is_in_two_splits() -> None:
    arrays = digits().arrays(Path("nowhere")).arrays
    contents = {name: {scan.tobytes() for scan in arrays[f"{name}_images"]} for name in ("train", "validation", "test")}
    assert not contents["train"] & contents["validation"]
    assert not contents["train"] & contents["test"]
    assert not contents["validation"] & contents["test"]


def test_every_digits_split_has_every_class() -> None:
    arrays = digits().arrays(Path("nowhere")).arrays
    for name in ("train", "validation", "test"):
        assert np.bincount(arrays[f"{name}_labels"], minlength=10).min() >= 20


def test_digits_need_no_mirror() -> None:
    assert digits().missing(Path("nowhere")) is None


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"validation_examples": 200}, {"train": 999, "validation": 200, "test": 299}),
        ({"train_examples": 100}, {"train": 100, "validation": 299, "test": 299}),
        ({"test_examples": 50}, {"train": 1199, "validation": 299, "test": 50}),
        ({"validation_examples": 200, "train_examples": 300}, {"train": 300, "validation": 200, "test": 299}),
        ({"train_examples": 10**6}, {"train": 1199, "validation": 299, "test": 299}),
    ],
)
def test_splits_can_be_limited(options: dict[str, int], sizes: dict[str, int]) -> None:
    assert live(digits(**options)).split_sizes == sizes


def test_best_validation_needs_a_validation_split(monkeypatch: pytest.MonkeyPatch) -> None:
    task = digits()
    whole = task.arrays(Path("nowhere"))
    rest = {name: array for name, array in whole.arrays.items() if not name.startswith("validation")}
    monkeypatch.setattr(type(task), "arrays", lambda self, data_root: type(whole)(rest, whole.fingerprint))
    recipe = RECIPE.model_copy(update={"selection": "best-validation"})
    with pytest.raises(
        UserError, match=r"needs a validation split; hold some examples out with --set task\.validation_examples"
    ):
        live(task, recipe)
    assert live(digits(validation_examples=9), recipe).split_sizes["validation"] == 9


def test_digits_mean_and_std_are_of_the_training_images() -> None:
    task = digits()
    pixels = task.arrays(Path("nowhere")).arrays["train_images"] / 255
    assert task.mean[0] == pytest.approx(pixels.mean(), abs=1e-3)
    assert task.std[0] == pytest.approx(pixels.std(), abs=1e-3)


def test_training_images_are_normalised() -> None:
    task = digits()
    batches = live(task, RECIPE.model_copy(update={"batch_size": 1199})).train_batches(1199, seed=0)
    images = batches[0].inputs["image"]
    assert float(images.mean()) == pytest.approx(0, abs=0.01)
    assert float(images.std()) == pytest.approx(1, abs=0.01)


def test_evaluation_covers_every_example_once_in_order() -> None:
    task = digits()
    net = Recorder()
    evaluation = live(task).evaluate(net, "test", batch_size=100)
    arrays = task.arrays(Path("nowhere")).arrays
    expected = (arrays["test_images"] / 255 - task.mean[0]) / task.std[0]
    np.testing.assert_allclose(torch.cat(net.seen).numpy(), expected, atol=1e-6)
    assert [len(images) for images in net.seen] == [100, 100, 99]
    assert evaluation.predictions["label"].tolist() == arrays["test_labels"].tolist()
    assert evaluation.metrics["accuracy"] == pytest.approx((arrays["test_labels"] == 3).mean())


def assert_same(one: Batch, other: Batch) -> None:
    """Equal to the last bit."""
    assert torch.equal(one.inputs["image"], other.inputs["image"])
    assert torch.equal(one.target, other.target)


AUGMENTED = RECIPE.model_copy(
    update={"augment": ImageAugment(crop_padding=1, flip=True, randaugment=9, erasing=0.5, mixup=0.8, cutmix=1.0)}
)


def test_training_batch_is_a_function_of_seed_and_step() -> None:
    batches = live(digits(), AUGMENTED).train_batches(32, seed=0)
    assert len(batches) == 1199 // 32
    late = batches[50]
    torch.manual_seed(99)
    batches[3]
    assert_same(live(digits(), AUGMENTED).train_batches(32, seed=0)[50], late)


@pytest.mark.parametrize(("seed", "step"), [(0, 51), (1, 50), (0, 50 + 1199 // 32)])
def test_batches_differ_between_seeds_steps_and_epochs(seed: int, step: int) -> None:
    task = live(digits(), AUGMENTED)
    one, other = task.train_batches(32, seed=0)[50], task.train_batches(32, seed=seed)[step]
    assert not torch.equal(one.inputs["image"], other.inputs["image"])


def test_making_a_batch_does_not_advance_torch_s_generator() -> None:
    batches = live(digits(), AUGMENTED).train_batches(32, seed=0)
    before = torch.get_rng_state()
    batches[0]
    assert torch.equal(torch.get_rng_state(), before)


def test_repeated_examples_are_augmented_separately() -> None:
    recipe = RECIPE.model_copy(update={"augment": ImageAugment(crop_padding=2, repeats=2)})
    batch = live(digits(), recipe).train_batches(32, seed=0)[0]
    assert torch.equal(batch.target[::2], batch.target[1::2])
    pairs = zip(batch.inputs["image"][::2], batch.inputs["image"][1::2], strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_epoch_of_digits_has_the_split_s_label_counts() -> None:
    task = digits(train_examples=320)
    batches = live(task).train_batches(32, seed=4)
    labels = torch.cat([batches[step].target for step in range(len(batches))])
    chosen = split_of(1199).spread(320).indices
    expected = np.bincount(task.arrays(Path("nowhere")).arrays["train_labels"][chosen], minlength=10)
    assert labels.bincount(minlength=10).tolist() == expected.tolist()


def test_loss_is_cross_entropy_with_label_smoothing() -> None:
    class Fixed(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.arange(10.0).expand(len(image), 10)

    task = live(digits(), RECIPE.model_copy(update={"label_smoothing": 0.1}))
    batch = Batch({"image": torch.zeros(2, 1, 8, 8)}, torch.tensor([2, 9]))
    log_probabilities = np.arange(10.0) - np.log(np.exp(np.arange(10.0)).sum())
    target = np.full((2, 10), 0.01)
    target[0, 2] += 0.9
    target[1, 9] += 0.9
    assert float(task.loss(Fixed(), batch)) == pytest.approx(-(target * log_probabilities).sum() / 2, rel=1e-6)


@pytest.mark.parametrize("task", [digits, lambda: image_task("cifar10")])
def test_tokenizer_matches_the_spec(task: Callable[[], ImageTask]) -> None:
    spec = task().spec()
    assert spec.image_shape is not None
    tokens = task().tokenizer()(image=torch.zeros(2, *spec.image_shape)).tokens
    assert tokens.shape == (2, spec.max_tokens, spec.token_dim)


@pytest.fixture(scope="module")
def cifar10() -> dict[str, np.ndarray]:
    """The real CIFAR-10, decoded."""
    return dict(image_task("cifar10").arrays(MIRROR).arrays)


@needs_cifar10
@pytest.mark.parametrize(("split", "count"), [("train", 50_000), ("test", 10_000)])
def test_real_cifar10_is_complete(cifar10: dict[str, np.ndarray], split: str, count: int) -> None:
    assert cifar10[f"{split}_images"].shape == (count, 3, 32, 32)
    assert cifar10[f"{split}_images"].dtype == np.uint8
    assert np.bincount(cifar10[f"{split}_labels"]).tolist() == [count // 10] * 10


@needs_cifar10
def test_real_cifar10_mean_and_std(
    cifar10: dict[str, np.ndarray],
) -> None:
    task = image_task("cifar10")
    for channel in range(3):
        pixels = cifar10["train_images"][:, channel]
        assert pixels.mean() / 255 == pytest.approx(task.mean[channel], abs=1e-3)
        assert pixels.std() / 255 == pytest.approx(task.std[channel], abs=3e-3)  # JPEG takes a little away


@needs_cifar10
def test_real_cifar10_makes_batches(cifar10: dict[str, np.ndarray]) -> None:
    task = live(image_task("cifar10", validation_examples=5000), root=MIRROR)
    assert task.split_sizes == {"train": 45_000, "validation": 5000, "test": 10_000}
    batch = task.train_batches(32, seed=0)[0]
    assert batch.inputs["image"].shape == (32, 3, 32, 32)
