"""The suite's own corruptions: what each does to simple images, that damage grows, what an outcome depends on."""

import colorsys
import functools
import subprocess
import sys

import numpy as np
import pytest
from scipy.fft import dctn, idctn
from sklearn.datasets import load_digits

from nacbench.data.images.corruptions import portions
from nacbench.data.images.corruptions.any_size import CORRUPTIONS, corrupt
from nacbench.data.images.corruptions.portions import SEVERITIES
from nacbench.errors import UserError

DRAWN = (
    *("gaussian-noise", "shot-noise", "impulse-noise", "glass-blur", "motion-blur"),
    *("snow", "frost", "fog", "elastic-transform"),
)
FIXED = tuple(name for name in CORRUPTIONS if name not in DRAWN)
MOVING = ("defocus-blur", "glass-blur", "motion-blur", "zoom-blur", "elastic-transform", "pixelate")
LUMINANCE_STEPS = np.array(  # ITU-T T.81, table K.1: of quality 50
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


@functools.cache
def photographs(count: int, channels: int = 3, height: int = 32, width: int = 32) -> np.ndarray:
    """Made uint8 images with soft shading, hard edges and fine grain, as photographs have; they are read-only."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    images = []
    for _ in range(count):
        image = draw.uniform(0.2, 0.8, (channels, 1, 1)) + draw.uniform(-0.2, 0.2, (channels, 1, 1)) * (rows + columns)
        for _ in range(6):
            middle, radius = draw.uniform(0, 1, 2), draw.uniform(0.05, 0.3)
            inside = np.hypot(rows - middle[0], columns - middle[1]) < radius
            waves = 0.1 * np.sin(draw.uniform(10, 60) * (rows + draw.uniform(-1, 1) * columns))
            image = np.where(inside, draw.uniform(0, 1, (channels, 1, 1)) + waves, image)
        images.append(image + draw.normal(0, 0.01, image.shape))
    made = (np.stack(images).clip(0, 1) * 255).astype(np.uint8)
    made.flags.writeable = False
    return made


def plain(value: int, count: int = 4, channels: int = 3, side: int = 32) -> np.ndarray:
    """Images of one grey."""
    return np.full((count, channels, side, side), value, dtype=np.uint8)


def damage(images: np.ndarray, name: str) -> list[float]:
    """The mean squared difference to the clean images at each severity."""
    clean = images.astype(float)
    indices = range(len(images))
    return [float(((corrupt(images, name, severity, indices) - clean) ** 2).mean()) for severity in SEVERITIES]


def test_names_are_those_of_imagenet_c() -> None:
    names = (
        *("gaussian-noise", "shot-noise", "impulse-noise"),
        *("defocus-blur", "glass-blur", "motion-blur", "zoom-blur"),
        *("snow", "frost", "fog", "brightness"),
        *("contrast", "elastic-transform", "pixelate", "jpeg-compression"),
    )
    assert names == CORRUPTIONS
    assert SEVERITIES == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_error_grows_with_severity(name: str, side: int) -> None:
    measured = damage(photographs(64, height=side, width=side), name)
    assert measured[0] > 0
    assert all(np.diff(measured) > 0), measured


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_digits_of_8_by_8_are_changed_at_every_severity(name: str) -> None:
    digits = (load_digits().images[:64, None] * (255 / 16)).astype(np.uint8)
    measured = damage(digits, name)
    assert min(measured) > 0
    assert measured[-1] > measured[0]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (1, 9, 14), (3, 21, 8), (3, 40, 24)])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_image_is_independent_of_its_batch(
    name: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = photographs(7, *shape)
    indices = [3, 1, 4, 1, 5, 9, 2]
    for severity in (1, 5):
        together = corrupt(images, name, severity, indices)
        assert together.shape == images.shape
        assert together.dtype == np.uint8
        for place, index in enumerate(indices):
            alone = corrupt(images[place : place + 1], name, severity, [index])
            assert np.array_equal(alone[0], together[place])
        backwards = corrupt(images[::-1], name, severity, np.array(indices)[::-1])
        assert np.array_equal(backwards[::-1], together)
        with monkeypatch.context() as patch:
            patch.setattr(portions, "_VALUES_AT_ONCE", 3 * images[0].size)
            assert np.array_equal(corrupt(images, name, severity, indices), together)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_random_numbers_depend_on_index_and_seed_only(name: str) -> None:
    images = np.repeat(photographs(1), 3, axis=0)
    first = corrupt(images, name, 3, [7, 8, 7])
    assert np.array_equal(first, corrupt(images, name, 3, np.array([7, 8, 7]), seed=0))
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[0], first[1]) == (name in FIXED)
    assert np.array_equal(first, corrupt(images, name, 3, [7, 8, 7], seed=1)) == (name in FIXED)


@pytest.mark.parametrize("name", ["gaussian-noise", "fog"])
def test_severities_have_separate_random_numbers(name: str) -> None:
    grey = plain(128, count=1)
    mild, strong = (corrupt(grey, name, severity, [0]).ravel() for severity in (2, 3))
    assert abs(np.corrcoef(mild, strong)[0, 1]) < 0.5


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", sorted({*CORRUPTIONS} - {"jpeg-compression"}))
def test_which_corruptions_keep_a_uniform_image(name: str, severity: int) -> None:
    grey = plain(101)
    out = corrupt(grey, name, severity, range(4))
    assert np.array_equal(out, grey) == (name in {*MOVING, "contrast"})


@pytest.mark.parametrize("name", MOVING)
def test_borders_do_not_wrap_around(name: str) -> None:
    images = np.zeros((8, 3, 32, 48), dtype=np.uint8)
    images[..., 24:] = 255
    for tipped in (images, images.swapaxes(2, 3)):
        out = corrupt(tipped, name, 5, range(8))
        out = out if tipped is images else out.swapaxes(2, 3)
        assert out[..., :8].max() == 0
        assert out[..., -8:].min() == 255


@pytest.mark.parametrize("shape", [(32, 32), (21, 30)])
@pytest.mark.parametrize("name", ["defocus-blur", "motion-blur", "zoom-blur"])
def test_blur_is_centred(name: str, shape: tuple[int, int]) -> None:
    images = photographs(8, 3, *shape)
    for severity in SEVERITIES:
        out = corrupt(images, name, severity, range(8)).astype(int)
        turned = corrupt(images[..., ::-1, ::-1], name, severity, range(8))[..., ::-1, ::-1]
        assert abs(out - turned).max() <= 1


@pytest.mark.parametrize("name", [*MOVING, "snow", "fog", "brightness", "contrast"])
def test_grey_and_colourless_images_are_corrupted_equally(name: str) -> None:
    grey = photographs(4, channels=1)
    out = corrupt(grey, name, 4, range(4))
    assert abs(corrupt(grey.repeat(3, axis=1), name, 4, range(4)).astype(int) - out).max() <= 1


@pytest.mark.parametrize(("severity", "std"), list(zip(SEVERITIES, (0.04, 0.06, 0.09, 0.13, 0.18), strict=True)))
def test_gaussian_noise_has_its_standard_deviation(severity: int, std: float) -> None:
    noise = corrupt(plain(128, count=20), "gaussian-noise", severity, range(20)).astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=0.5)
    assert noise.std() == pytest.approx(255 * std, rel=0.03)
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.05


def test_values_are_clipped_to_the_range_of_uint8() -> None:
    assert corrupt(plain(0), "gaussian-noise", 2, range(4)).max() < 6 * 0.06 * 255
    assert corrupt(plain(255), "gaussian-noise", 2, range(4)).min() > 255 - 6 * 0.06 * 255


def test_shot_noise_grows_with_brightness() -> None:
    for value in (30, 120):
        counts = corrupt(plain(value, count=20), "shot-noise", 2, range(20)) * (140 / 255)
        assert counts.mean() == pytest.approx(value * 140 / 255, rel=0.02)
        assert counts.var() == pytest.approx(counts.mean(), rel=0.05)
    assert corrupt(plain(0), "shot-noise", 5, range(4)).max() == 0


def test_impulse_noise_changes_its_share_of_values() -> None:
    out = corrupt(plain(128, count=20), "impulse-noise", 5, range(20))
    assert set(np.unique(out)) == {0, 128, 255}
    assert (out == 0).mean() == pytest.approx(0.085, rel=0.05)
    assert (out == 255).mean() == pytest.approx(0.085, rel=0.05)


def test_defocus_blur_spreads_a_point_to_a_disc() -> None:
    image = np.zeros((1, 1, 201, 201), dtype=np.uint8)
    image[..., 95:106, 95:106] = 255
    out = corrupt(image, "defocus-blur", 5, [0])[0, 0] / 255
    assert out.sum() == pytest.approx(121, rel=0.02)
    rows, columns = np.nonzero(out > 0.5 / 255)
    reach = np.hypot(*(np.clip(abs(place - 100) - 5, 0, None) for place in (rows, columns)))  # from the square
    assert reach.max() == pytest.approx(0.055 * 201, abs=1.5)


def test_motion_blur_spreads_a_point_along_a_random_line() -> None:
    images = np.zeros((12, 1, 41, 41), dtype=np.uint8)
    images[..., 20, 20] = 255
    slopes = []
    for image in corrupt(images, "motion-blur", 5, range(12))[:, 0].astype(float):
        rows, columns = (np.array(place) - 20.0 for place in np.nonzero(image))
        spread = np.linalg.eigh(np.cov(rows, columns, ddof=0, aweights=image[image > 0]))
        assert spread.eigenvalues[0] < 0.5
        assert spread.eigenvalues[1] == pytest.approx((0.175 * 41) ** 2 / 12, abs=0.6)
        slopes.append(np.arctan2(*spread.eigenvectors[:, 1]) % np.pi)
    assert np.ptp(slopes) > 1


def test_zoom_blur_is_the_mean_of_magnified_images() -> None:
    ramp = np.tile(np.arange(0, 200, 5, dtype=np.uint8), (1, 1, 40, 1))
    out = corrupt(ramp, "zoom-blur", 5, [0])[0, 0].astype(float)
    factors = np.linspace(1, 1.26, 10)
    expected = 97.5 + (np.arange(40) - 19.5) * 5 * np.mean(1 / factors)
    assert abs(out - expected).max() <= 1


@pytest.mark.parametrize("name", ["snow", "frost", "fog"])
@pytest.mark.parametrize("channels", [1, 3])
def test_weather_brightens_dark_images_unevenly(name: str, channels: int) -> None:
    out = corrupt(plain(0, count=20, channels=channels), name, 5, range(20)).astype(float)
    assert 30 < out.mean() < 200
    assert out.std(axis=(2, 3)).min() > 10
    if channels == 3:  # frost is bluish, snow and fog have no colour
        assert (out[:, 2] > out[:, 0]).any() == (name == "frost")
        assert (out[:, 2] >= out[:, 0]).all()


def test_snow_has_near_vertical_white_streaks() -> None:
    out = corrupt(plain(40, count=20, side=64), "snow", 3, range(20)).astype(float)[:, 0]
    assert out.max(axis=(1, 2)).min() > 200
    assert np.median(out) < 100
    assert abs(np.diff(out, axis=1)).mean() < abs(np.diff(out, axis=2)).mean()


def test_frost_is_thicker_at_the_borders() -> None:
    out = corrupt(plain(0, count=50), "frost", 3, range(50)).astype(float)
    border = np.ones((32, 32), dtype=bool)
    border[6:-6, 6:-6] = False
    assert out[..., border].mean() > 1.2 * out[..., ~border].mean()


def test_frost_has_needles_in_three_directions_60_degrees_apart() -> None:
    out = corrupt(plain(0, count=20, side=64), "frost", 3, range(20)).astype(float)[:, 0]
    power = abs(np.fft.fft2(out)) ** 2
    rows, columns = np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)
    kept = (np.hypot(rows, columns) > 0.05) & (np.hypot(rows, columns) < 0.4)
    turns = np.exp(6j * np.arctan2(rows, columns))  # the same for directions 60° apart
    together = abs((power * turns)[:, kept].sum(axis=1)) / power[:, kept].sum(axis=1)
    assert together.mean() > 0.25


@pytest.mark.parametrize("name", ["frost", "fog"])
def test_weather_never_hides_an_image_completely(name: str) -> None:
    images = np.concatenate([plain(0, count=50), plain(255, count=50)])
    black, white = corrupt(images, name, 5, [*range(50), *range(50)]).astype(float).reshape(2, 50, -1)
    assert (white - black).mean(axis=1).min() > 0.2 * 255


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_raises_the_value_and_keeps_hue_and_saturation(severity: int) -> None:
    images = photographs(2, height=8, width=9).copy()
    images[0, :, 0, 0] = 0
    out = corrupt(images, "brightness", severity, [0, 1])
    more = (0.08, 0.15, 0.22, 0.3, 0.38)[severity - 1]
    for number, row, column in np.ndindex(2, 8, 9):
        hue, saturation, value = colorsys.rgb_to_hsv(*(images[number, :, row, column] / 255))
        expected = np.array(colorsys.hsv_to_rgb(hue, saturation, min(value + more, 1.0))) * 255
        assert abs(out[number, :, row, column] - expected).max() <= 0.51


def test_brightness_of_grey_images_saturates_at_white() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    assert np.array_equal(corrupt(ramp, "brightness", 3, [0]), np.minimum(ramp.astype(int) + 56, 255))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_moves_each_channel_to_its_mean(severity: int, channels: int) -> None:
    images = photographs(2, channels, 9, 13)
    out = corrupt(images, "contrast", severity, [0, 1])
    share = (0.7, 0.5, 0.36, 0.24, 0.16)[severity - 1]
    for image, got in zip(images.reshape(-1, 9, 13), out.reshape(-1, 9, 13), strict=True):
        expected = float(image.mean()) * (1 - share) + image * share
        assert abs(got - expected).max() <= 0.51


def test_pixelate_shows_block_means() -> None:
    images = photographs(3, 3, 12, 10)
    out = corrupt(images, "pixelate", 4, range(3))
    for image, got in zip(images.reshape(-1, 12, 10), out.reshape(-1, 12, 10), strict=True):
        for row in range(0, 12, 2):
            for column in range(0, 10, 2):
                block = np.s_[row : row + 2, column : column + 2]
                assert set(got[block].ravel()) == {int(image[block].astype(int).sum() + 2) // 4}


@pytest.mark.parametrize(("severity", "blocks"), list(zip(SEVERITIES, (27, 22, 18, 15, 12), strict=True)))
def test_pixelate_has_the_expected_number_of_blocks(severity: int, blocks: int) -> None:
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (1, 1, 32, 1))
    out = corrupt(ramp, "pixelate", severity, [0])
    assert len(np.unique(out)) == blocks
    assert abs(out.astype(int) - ramp).max() <= 8 * 32 / blocks


@pytest.mark.parametrize(("severity", "quality"), list(zip(SEVERITIES, (65, 45, 30, 20, 12), strict=True)))
def test_jpeg_compression_quantises_dct_coefficients(severity: int, quality: int) -> None:
    image = photographs(1, 1, 24, 16)
    scale = 200 - 2 * quality if quality >= 50 else 5000 / quality
    steps = np.floor((LUMINANCE_STEPS * scale + 50) / 100).clip(1, 255)
    out = corrupt(image, "jpeg-compression", severity, [0])[0, 0].astype(float)
    differences = []
    for row in (0, 8, 16):
        for column in (0, 8):
            block = np.s_[row : row + 8, column : column + 8]
            rounded = steps * np.rint(dctn(image[0, 0][block] - 128.0, norm="ortho") / steps)
            expected = (idctn(rounded, norm="ortho") + 128).clip(0, 255)
            differences.append(abs(out[block] - expected).mean())
    assert np.median(differences) < 1  # in a block or two, a coefficient halfway between two steps goes the other way


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_compression_keeps_the_channel_order(severity: int) -> None:
    colour = np.array([200, 120, 60], dtype=np.uint8).reshape(1, 3, 1, 1)
    out = corrupt(np.tile(colour, (1, 1, 19, 10)), "jpeg-compression", severity, [0]).astype(int)
    assert abs(out - colour).max() < 16


def test_elastic_transform_displaces_pixels_smoothly() -> None:
    rows = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[:, None], (20, 1, 1, 60))
    out = corrupt(rows, "elastic-transform", 5, range(20)).astype(float)
    moved = ((out - rows) / 4)[..., 8:-8, 8:-8]
    assert moved.std() == pytest.approx(0.031 * 60, rel=0.15)
    assert abs(np.diff(moved, axis=3)).mean() < 0.5 * moved.std()


def test_glass_blur_displaces_pixels_up_to_its_distance() -> None:
    rows = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[:, None], (4, 1, 1, 60))
    moved = ((corrupt(rows, "glass-blur", 3, range(4)).astype(float) - rows) / 4)[..., 3:-3, 3:-3]
    assert 1 < abs(moved).max() <= 0.024 * 60 + 0.25
    assert abs(np.corrcoef(moved[..., 2:].ravel(), moved[..., :-2].ravel())[0, 1]) < 0.1


def test_empty_batch() -> None:
    for name in CORRUPTIONS:
        assert corrupt(plain(0, count=0), name, 1, []).shape == (0, 3, 32, 32)


def test_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UserError, match="unknown corruption 'defocus'; did you mean 'defocus-blur'"):
        corrupt(plain(0), "defocus", 1, range(4))


@pytest.mark.parametrize("severity", [0, 6, -1, 2.5])
def test_severity_out_of_range_is_refused(severity: int) -> None:
    with pytest.raises(UserError, match=f"severity {severity}; "):
        corrupt(plain(0), "fog", severity, range(4))


@pytest.mark.parametrize(
    ("images", "indices", "message"),
    [
        (plain(0).astype(np.float32), range(4), "images are float32; they must be uint8"),
        (plain(0)[0], range(3), r"images are \(3, 32, 32\); they must be"),
        (plain(0, channels=2), range(4), r"images are \(4, 2, 32, 32\); they must be"),
        (plain(0, side=7), range(4), r"images are \(4, 3, 7, 7\); they must be"),
        (plain(0)[..., :7], range(4), r"images are \(4, 3, 32, 7\); they must be"),
        (plain(0), range(3), "3 indices for 4 images"),
        (plain(0), np.arange(4.0), "indices are float64; they must be whole numbers"),
    ],
)
def test_invalid_images_or_indices_are_refused(images: np.ndarray, indices: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        corrupt(images, "fog", 1, indices)


def test_import_is_light() -> None:
    heavy = {"torch", "torchvision", "scipy", "PIL"}
    code = f"import sys, nacbench.data.images.corruptions.any_size; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
