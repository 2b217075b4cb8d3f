"""The published corruptions: as strong as those of the published code on the same photographs, and repeatable."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from sklearn.datasets import load_sample_images

from nacbench.data.images.corruptions import portions
from nacbench.data.images.corruptions.blur import disc
from nacbench.data.images.corruptions.portions import SEVERITIES
from nacbench.data.images.corruptions.published import CORRUPTIONS, EXTRA, corrupt
from nacbench.data.images.corruptions.severities import AMOUNTS
from nacbench.data.images.corruptions.weather import plasma
from nacbench.errors import UserError
from nacbench.formats.yaml_text import parse_yaml
from nacbench.registry import TASKS
from nacbench.tasks.cifar10 import Cifar10

FIGURES = parse_yaml((Path(__file__).parent / "published_figures.yaml").read_text("utf-8"), "published_figures.yaml")
NAMES = (*CORRUPTIONS, *EXTRA)
FIXED = {
    "defocus-blur",
    "gaussian-blur",
    "zoom-blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg-compression",
    "saturate",
}
TOLERANCE = 0.05  # relative
CHECKED = {32: SEVERITIES, 64: SEVERITIES, 224: (2,)}  # severities; 224 pixels take ten times as long as 64
UNEVEN = {
    "snow": 2,
    "frost": 4,
    "fog": 3,
    "elastic-transform": 2,
    "spatter": 2,
}  # copies of each photograph to draw for


def photographs(side: int) -> np.ndarray:
    """The pieces of scikit-learn's two photographs on which the figures were taken, uint8 N×3×side×side."""
    pieces = []
    for photo in load_sample_images().images:
        height, width = photo.shape[:2]
        step = max(side, 64)
        tops, lefts = range(0, height - 63, 64), range(0, width - 63, 64)
        if side == 224:
            tops, lefts = (0, height - 224), (0, (width - 224) // 2, width - 224)  # type: ignore[assignment]
        pieces += [photo[top : top + step, left : left + step] for top in tops for left in lefts]
    found = np.stack(pieces)
    if side == 32:
        found = (found.reshape(-1, 32, 2, 32, 2, 3).astype(int).sum(axis=(2, 4)) // 4).astype(np.uint8)
    return found.transpose(0, 3, 1, 2)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Mean SSIM (Wang et al. 2004) over windows of 7×7 pixels and channels."""
    (a, b), count = (own.astype(float) for own in (first, second)), 49

    def mean(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, (0, 0, 7, 7))[..., 3:-3, 3:-3]

    mean_a, mean_b, unbiased = mean(a), mean(b), count / (count - 1)
    spread = unbiased * (mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2)
    together = unbiased * (mean(a * b) - mean_a * mean_b)
    small, smaller = 0.01**2 * 255**2, 0.03**2 * 255**2
    top = (2 * mean_a * mean_b + small) * (2 * together + smaller)
    return float((top / ((mean_a**2 + mean_b**2 + small) * (spread + smaller))).mean())


def compare(images: np.ndarray, name: str, severity: int, expected: list[float]) -> None:
    out = corrupt(images, name, severity, range(len(images)))
    change = abs(out.astype(int) - images).mean()
    assert [change, similarity(images, out)] == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("side", AMOUNTS)
@pytest.mark.parametrize("name", NAMES)
def test_change_and_similarity_are_those_of_the_published_code(name: str, side: int) -> None:
    images = np.tile(photographs(side), (UNEVEN.get(name, 1), 1, 1, 1))
    for severity in CHECKED[side]:
        compare(images, name, severity, FIGURES["photographs"][str(side)][name][severity - 1])


def test_so_they_are_on_real_test_images(mirror: Path) -> None:
    images = np.asarray(Cifar10().arrays(mirror).arrays["test_images"][: int(FIGURES["test images"]["count"])])
    for name in NAMES:
        compare(np.tile(images, (UNEVEN.get(name, 1), 1, 1, 1)), name, 3, FIGURES["test images"]["32"][name][2])


def test_every_size_has_every_corruption_at_every_severity() -> None:
    assert len(CORRUPTIONS) == 15
    assert EXTRA == ("speckle-noise", "gaussian-blur", "spatter", "saturate")
    for amounts in AMOUNTS.values():
        assert tuple(amounts) == NAMES
        assert {len(own) for own in amounts.values()} == {5}


def test_fog_keeps_the_brightest_value_as_published() -> None:
    """It scales by max / (max + amount): a fog that goes to white would be brighter."""
    white = np.full((20, 3, 32, 32), 255, dtype=np.uint8)
    foggy = corrupt(white, "fog", 5, range(20)).astype(float)
    assert foggy.max() <= 255
    assert foggy.min() >= 255 / 2.5 - 1
    assert foggy.std() > 10


@pytest.mark.parametrize("name", NAMES)
def test_image_is_independent_of_its_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images, indices = photographs(32)[40:47], [3, 1, 4, 1, 5, 9, 2]
    for severity in (1, 5):
        together = corrupt(images, name, severity, indices)
        assert together.shape == images.shape and together.dtype == np.uint8
        for place, index in enumerate(indices):
            alone = corrupt(images[place : place + 1], name, severity, [index])
            assert np.array_equal(alone[0], together[place])
        with monkeypatch.context() as patch:
            patch.setattr(portions, "_VALUES_AT_ONCE", 3 * images[0].size)
            assert np.array_equal(corrupt(images, name, severity, indices), together)


@pytest.mark.parametrize("name", NAMES)
def test_random_numbers_depend_on_index_and_seed_only(name: str) -> None:
    images = np.repeat(photographs(64)[50:51], 3, axis=0)
    first = corrupt(images, name, 3, [7, 8, 7])
    assert np.array_equal(first, corrupt(images, name, 3, np.array([7, 8, 7]), seed=0))
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[0], first[1]) == (name in FIXED)
    assert np.array_equal(first, corrupt(images, name, 3, [7, 8, 7], seed=1)) == (name in FIXED)


def test_glass_blur_copies_pixels_in_turn() -> None:
    """Pixels are overwritten from the last to the first, one by one; here all at once, with the same result."""
    from nacbench.data.images.corruptions.blur import _sources

    side, reach = 12, 2
    draw = np.random.default_rng(5)
    inner = range(side - reach, reach, -1)
    shift = np.random.default_rng(5).integers(-reach, reach, (2, len(inner) ** 2))
    wanted = np.arange(side * side).reshape(side, side)
    for row in inner:
        for column in inner:
            number = (row - reach - 1) * len(inner) + column - reach - 1
            wanted[row, column] = wanted[row + shift[0, number], column + shift[1, number]]
    assert np.array_equal(_sources(draw, side, reach), wanted.ravel())


def test_plasma_is_rougher_where_it_decays_slowly() -> None:
    drawn = [np.random.default_rng(number).uniform(-1, 1, 64 * 64 - 1) for number in range(4)]
    smooth, rough = plasma(drawn, 64, 3), plasma(drawn, 64, 1.4)
    for maps in (smooth, rough):
        assert maps.min(axis=(1, 2)).tolist() == [0] * 4
        assert maps.max(axis=(1, 2)).tolist() == [1] * 4
    assert abs(np.diff(rough)).mean() > 1.5 * abs(np.diff(smooth)).mean()


@pytest.mark.parametrize(("radius", "reach"), [(1.5, 2), (10, 12)])
def test_disc_has_its_radius_and_a_soft_edge(radius: float, reach: int) -> None:
    kernel = disc(radius, 0.5)
    middle = len(kernel) // 2
    rows, columns = np.nonzero(kernel > 1e-6)
    assert kernel.sum() == pytest.approx(1)
    assert np.array_equal(kernel, kernel[::-1, ::-1])
    assert max(abs(rows - middle).max(), abs(columns - middle).max()) <= reach


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 48, 48), (3, 32, 64)])
def test_images_of_another_size_are_refused(shape: tuple[int, int, int]) -> None:
    images = np.zeros((2, *shape), dtype=np.uint8)
    with pytest.raises(UserError, match=r"they must be N×3×side×side, with a published side of 32, 64, 224"):
        corrupt(images, "fog", 1, range(2))


def test_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UserError, match="unknown corruption 'spater'; did you mean 'spatter'"):
        corrupt(photographs(32), "spater", 1, range(120))


@pytest.mark.parametrize("name", ["cifar10-c", "cifar100-c", "tiny-imagenet-c", "imagenet-c"])
def test_tasks_with_a_published_name_are_of_a_published_size(name: str) -> None:
    task = TASKS.get(name)
    assert task.trained_class.shape[1] in AMOUNTS  # type: ignore[attr-defined]
