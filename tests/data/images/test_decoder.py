"""The decoder of images: every mode of Pillow gives the right 8-bit pixels, and damage is one line."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nacbench.data.images.decoder import check_image, decoded
from nacbench.data.images.reading import exact
from nacbench.data.unreadable import WAY_OUT, UnreadableError

RED, GREEN, BLUE, WHITE = (200, 30, 20), (10, 180, 40), (30, 20, 210), (255, 255, 255)
COLOURS = np.array([[RED, GREEN], [BLUE, WHITE]], dtype=np.uint8)
GREYS = np.array([[0, 80], [160, 255]], dtype=np.uint8)


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The content of an image file."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def pixels(content: bytes, channels: int = 3) -> np.ndarray:
    """The decoded pixels, height×width×channels or height×width."""
    return np.asarray(decoded(content, "made.png", channels))


def blocks(image: Image.Image) -> Image.Image:
    """Each pixel as 16×16 pixels, which JPEG and WebP keep nearly as they are."""
    return image.resize((32, 32), Image.Resampling.NEAREST)


def corners(grid: np.ndarray) -> np.ndarray:
    """The pixels in the middle of the four blocks."""
    return grid[8::16, 8::16]


def with_alpha() -> Image.Image:
    """The four colours, one of them transparent and one half so."""
    alpha = np.array([[255, 0], [128, 255]], dtype=np.uint8)
    return Image.fromarray(np.dstack([COLOURS, alpha]))


def palette(**info: Any) -> Image.Image:
    """The four colours as a palette that is not in the order of its indices' grey."""
    image = Image.new("P", (2, 2))
    image.putpalette([value for colour in (WHITE, BLUE, GREEN, RED) for value in colour])
    image.putdata([3, 2, 1, 0])
    image.info.update(info)
    return image


COLOURED: dict[str, bytes] = {
    "PNG, RGB": file_of(Image.fromarray(COLOURS), "PNG"),
    "BMP, RGB": file_of(Image.fromarray(COLOURS), "BMP"),
    "WebP, RGB": file_of(Image.fromarray(COLOURS), "WEBP", lossless=True),
    "PNG, palette": file_of(palette(), "PNG"),
    "BMP, palette": file_of(palette(), "BMP"),
    "GIF, palette": file_of(palette(), "GIF"),
    "PNG, palette with a transparent colour": file_of(palette(), "PNG", transparency=2),
    "PNG, palette with transparencies": file_of(palette(), "PNG", transparency=bytes([255, 0, 128, 255])),
    "PNG, RGBA": file_of(with_alpha(), "PNG"),
    "WebP, RGBA": file_of(with_alpha(), "WEBP", lossless=True, exact=True),
    "TIFF, RGB": file_of(Image.fromarray(COLOURS), "TIFF"),
}


@pytest.mark.parametrize("kind", COLOURED)
def test_colours_come_as_they_are_and_transparency_is_dropped(kind: str) -> None:
    assert pixels(COLOURED[kind]).tolist() == COLOURS.tolist()
    check_image(COLOURED[kind], kind)


@pytest.mark.parametrize("kind", COLOURED)
def test_colours_become_grey_by_their_brightness(kind: str) -> None:
    expected = COLOURS @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(pixels(COLOURED[kind], 1), expected, atol=1)


def test_lossy_files_are_near() -> None:
    image = blocks(Image.fromarray(COLOURS))
    for content in (file_of(image, "JPEG", quality=95, subsampling=0), file_of(image, "WEBP", quality=95)):
        np.testing.assert_allclose(corners(pixels(content)).astype(int), COLOURS, atol=12)


def test_cmyk_photographs_become_rgb() -> None:
    image = blocks(Image.fromarray(COLOURS)).convert("CMYK")
    np.testing.assert_allclose(corners(pixels(file_of(image, "JPEG", quality=95))).astype(int), COLOURS, atol=12)
    np.testing.assert_allclose(pixels(file_of(image, "TIFF"), 1)[8, 8], 80, atol=3)  # of red


GREY_FILES: dict[str, bytes] = {
    "PNG, grey": file_of(Image.fromarray(GREYS), "PNG"),
    "BMP, grey": file_of(Image.fromarray(GREYS), "BMP"),
    "PNG, grey with alpha": file_of(
        Image.merge("LA", (Image.fromarray(GREYS), Image.fromarray(GREYS[::-1].copy()))), "PNG"
    ),
    "PNG, 16 bits": file_of(Image.fromarray(GREYS.astype(np.uint16) * 257), "PNG"),
    "TIFF, 16 bits": file_of(Image.fromarray(GREYS.astype(np.uint16) * 257), "TIFF"),
}


@pytest.mark.parametrize("kind", GREY_FILES)
def test_grey_comes_as_it_is_in_one_channel_and_in_three(kind: str) -> None:
    assert pixels(GREY_FILES[kind], 1).tolist() == GREYS.tolist()
    assert pixels(GREY_FILES[kind], 3).tolist() == np.dstack([GREYS] * 3).tolist()
    check_image(GREY_FILES[kind], kind)


def test_16_bits_are_rounded_to_8() -> None:
    deep = np.array([[0, 128, 129, 25_700, 65_278, 65_406, 65_407, 65_535]], dtype=np.uint16)
    assert pixels(file_of(Image.fromarray(deep), "PNG"), 1).tolist() == [[0, 0, 1, 100, 254, 254, 255, 255]]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    image = Image.fromarray(GREYS > 100)
    assert image.mode == "1"
    assert pixels(file_of(image, kind), 1).tolist() == [[0, 0], [255, 255]]
    assert pixels(file_of(image, kind), 3)[1].tolist() == [list(WHITE), list(WHITE)]


TURNS = {1: 0, 3: 2, 6: 3, 8: 1}  # EXIF orientation → quarter turns to the left that put it upright


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_photographs_are_upright(orientation: int, kind: str) -> None:
    """The stored pixels are the upright ones, turned as the camera held them."""
    upright = np.kron(np.array([[0, 80, 255], [160, 40, 120]], dtype=np.uint8), np.ones((16, 16), dtype=np.uint8))
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = file_of(Image.fromarray(np.ascontiguousarray(stored)).convert("RGB"), kind, exif=exif, quality=95)
    found = pixels(content, 1)
    assert found.shape == upright.shape
    np.testing.assert_allclose(found.astype(int), upright, atol=12)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_metadata_is_no_broken_picture() -> None:
    content = file_of(Image.fromarray(COLOURS), "PNG", exif=b"Exif\0\0II*\0 nonsense")
    assert pixels(content).tolist() == COLOURS.tolist()


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [blocks(Image.new("RGB", (2, 2), colour)) for colour in (RED, BLUE)]
    content = file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert pixels(content)[0, 0].tolist() == list(RED)


PHOTOGRAPH = file_of(blocks(Image.fromarray(COLOURS)), "JPEG")
PICTURE = COLOURED["PNG, RGB"]
DAMAGED: dict[str, tuple[bytes, str]] = {
    "JPEG without its end": (PHOTOGRAPH[:-2], "(it is cut short|image file is truncated)"),
    "JPEG cut in half": (PHOTOGRAPH[: len(PHOTOGRAPH) // 2], ""),
    "PNG without its end": (PICTURE[:-12], "it is cut short: a PNG without its last chunk, IEND"),
    "PNG cut in half": (PICTURE[: len(PICTURE) // 2], ""),
    "PNG with a changed byte": (PICTURE[:45] + bytes([PICTURE[45] ^ 255]) + PICTURE[46:], ""),
    "BMP cut short": (COLOURED["BMP, RGB"][:-4], ""),
    "WebP cut short": (COLOURED["WebP, RGB"][:-4], ""),
    "empty": (b"", "not an image file of a known format .it is empty"),
    "text": (b"version https://git-lfs.github.com/spec/v1", "not an image file of a known format .*git-lfs"),
    "zeros": (bytes(1000), "not an image file of a known format"),
    "numbers": (file_of(Image.fromarray(GREYS.astype(np.float32)), "TIFF"), "32-bit numbers .mode F"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_one_line_that_says_what_to_do(kind: str) -> None:
    content, reason = DAMAGED[kind]
    for read in (lambda: decoded(content, "a/b.png", 3), lambda: check_image(content, "a/b.png")):
        with pytest.raises(UnreadableError, match=f"image a/b.png cannot be read: .*{reason}") as caught:
            read()
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(WAY_OUT)


def test_an_image_of_another_size_is_refused_where_one_is_stated() -> None:
    with pytest.raises(UnreadableError, match="row 3: the image has 2×2 pixels, not 4×2"):
        exact(PICTURE, (3, 2, 4), "row 3")
    assert exact(PICTURE, (3, 2, 2), "row 3").transpose(1, 2, 0).tolist() == COLOURS.tolist()
