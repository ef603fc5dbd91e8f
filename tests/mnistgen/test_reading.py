"""Digits read from pictures: cut apart, in order, normalised as MNIST's; and what is refused."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import mnistgen
from mnistgen._arrays import UInt8

DATA = Path(__file__).resolve().parents[1] / "data" / "MNIST" / "raw"
REAL: UInt8 = np.fromfile(DATA / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
ROW = (0, 1, 3, 9, 84, 53)  # of REAL: 7, 2, 0, 9, 8, 5


def difference(images: UInt8, others: UInt8) -> float:
    """The largest mean difference in grey levels of an image."""
    assert images.shape == others.shape
    return float(np.abs(images.astype(float) - others).mean(axis=(1, 2)).max())


def enlarged(image: UInt8, scale: float) -> NDArray[np.float32]:
    """A digit (28, 28) at another size, ink 1."""
    side = round(28 * scale)
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large).astype(np.float32) / np.float32(255)


def page(indices: tuple[int, ...], columns: int = 3, scale: float = 4.0) -> NDArray[np.float32]:
    """Digits of REAL in rows, at slightly different heights and sizes, ink 1."""
    source = np.random.default_rng(0)
    cell = round(28 * scale * 1.25) + 30
    canvas = np.zeros((cell * -(-len(indices) // columns), cell * columns), np.float32)
    for number, index in enumerate(indices):
        digit = enlarged(REAL[index], scale * source.uniform(0.85, 1.2))
        top, left = (place * cell + int(source.integers(5, 30)) for place in divmod(number, columns))
        canvas[top : top + len(digit), left : left + len(digit)] += digit
    return canvas


def picture(ink: NDArray[np.float32], *, paper: float = 235.0, pen: float = 40.0) -> Any:
    """A greyscale picture of ink on paper."""
    return Image.fromarray((paper + (pen - paper) * ink.clip(0, 1)).astype(np.uint8))


def test_digits_of_mnist_come_back() -> None:
    images = mnistgen.read_digits([Image.fromarray(image) for image in REAL[:60]])  # moved by a pixel at most
    assert np.abs(images.astype(float) - REAL[:60]).mean() < 3
    assert difference(images, REAL[:60]) < 20


@settings(max_examples=25)
@given(st.sampled_from(ROW), st.floats(2, 9), st.booleans(), st.integers(0, 200), st.integers(0, 200))
def test_normalisation(index: int, scale: float, light: bool, left: int, top: int) -> None:
    """Size, place and polarity of a digit do not matter."""
    ink = np.pad(enlarged(REAL[index], scale), ((top, 40), (left, 40)))
    images = mnistgen.read_digits(picture(ink, paper=20, pen=250) if light else picture(ink))
    assert images.dtype == np.uint8
    assert images.max() == 255
    # Enlarged digits are smooth where small ones are not.
    assert difference(images, mnistgen.read_digits(picture(np.pad(enlarged(REAL[index], 5), 20)))) < 25
    rows, columns = np.nonzero(images[0] > 20)
    assert max(np.ptp(rows), np.ptp(columns)) in (18, 19)
    for axis in (1, 2):
        centre = np.average(np.arange(28), weights=images[0].sum(2 - axis))
        assert abs(centre - 14) < 0.75


def test_pages_are_cut_apart_in_reading_order() -> None:
    clean = mnistgen.read_digits([Image.fromarray(REAL[index]) for index in ROW])
    for columns in (3, 6):
        assert difference(mnistgen.read_digits(picture(page(ROW, columns))), clean) < 25


def test_photos_with_uneven_light_and_noise(tmp_path: Path) -> None:
    ink = page(ROW)
    light = np.linspace(0.5, 1, ink.shape[1])[None] * np.linspace(0.8, 1, ink.shape[0])[:, None]
    grey = (225 - 180 * ink) * light + np.random.default_rng(0).normal(0, 6, ink.shape)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    photo = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).rotate(90, expand=True)
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=70)
    images = mnistgen.read_digits(tmp_path / "photo.jpg")
    assert difference(images, mnistgen.read_digits(picture(ink))) < 20


def test_squared_paper_and_specks() -> None:
    ink = page(ROW)
    paper = np.where((np.arange(ink.shape[0])[:, None] % 40 < 2) | (np.arange(ink.shape[1]) % 40 < 2), 0.25, 0.0)
    paper[300:302, 100:102] = 0.9
    images = mnistgen.read_digits(picture(np.maximum(ink, paper).astype(np.float32)))
    assert len(images) == len(ROW)


def test_strokes_that_do_not_touch_are_one_digit() -> None:
    ink = np.zeros((200, 160), np.float32)
    ink[40:48, 60:110] = 1  # the bar of a five
    ink[58:100, 50:58] = 1
    ink[100:108, 50:100] = 1
    ink[108:150, 92:100] = 1
    ink[150:158, 50:100] = 1
    assert len(mnistgen.read_digits(picture(ink))) == 1


def test_fine_pens_are_thickened_and_thick_ones_kept() -> None:
    ink = np.zeros((300, 200), np.float32)
    ink[40:260, 100:102] = 1
    ink[40:42, 60:140] = 1
    (thin,) = mnistgen.read_digits(picture(ink))
    assert 1.8 <= mnistgen.measure(thin[None]).thickness[0] < 2.3
    again = mnistgen.read_digits(Image.fromarray(REAL[85]))
    assert mnistgen.measure(again).thickness == pytest.approx(mnistgen.measure(REAL[85:86]).thickness, rel=0.1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16", "LA", "RGBA", "F"])
def test_modes(mode: str) -> None:
    ink = page((0, 1))
    plain = picture(ink)
    if mode in ("LA", "RGBA"):  # black ink on nothing
        shown = Image.new("LA", plain.size, (0, 0))
        shown.putalpha(Image.fromarray((255 * ink.clip(0, 1)).astype(np.uint8)))
        shown = shown.convert(mode)
    elif mode == "I;16":
        shown = Image.fromarray(np.asarray(plain, np.uint16) * 200)
    else:
        shown = plain.convert(mode, dither=Image.Dither.NONE)
    assert difference(mnistgen.read_digits(shown), mnistgen.read_digits(plain)) < 20


def test_paths_and_pictures(tmp_path: Path) -> None:
    picture(page((0, 1))).save(tmp_path / "a.png")
    one = mnistgen.read_digits(tmp_path / "a.png")
    assert np.array_equal(one, mnistgen.read_digits(str(tmp_path / "a.png")))
    with Image.open(tmp_path / "a.png") as opened:
        both = mnistgen.read_digits([opened, tmp_path / "a.png"])
    assert np.array_equal(both, np.concatenate([one, one]))


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG file of this size, without pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    sizes = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", sizes) + chunk(b"IDAT", b"")


NOISY = np.random.default_rng(0).normal(200, 6, (300, 400)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (b"no picture", "picture.png: expected a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF picture, got another file"),
        (png_header(30, 30), "picture.png: the picture is damaged"),
        (png_header(8000, 7000), "expected at most 50,000,000 pixels, got 56,000,000; scale it down"),
        (png_header(60_000, 60_000), "expected at most 50,000,000 pixels"),
        ("nowhere.png", "nowhere.png: expected a picture, the file cannot be read (No such file or directory)"),
        ([], "pictures: expected at least one path or Pillow image, got none"),
        ([Image.fromarray(REAL[0]), None], "picture 2: expected a path or a Pillow image, got None"),
        (Image.new("L", (100, 100), 255), "picture 1: expected dark digits on a light ground or the reverse, got"),
        (Image.new("RGBA", (100, 100), (0, 0, 0, 0)), "got a blank picture"),
        (Image.fromarray(NOISY), "expected digits, found none"),
        (picture(page((0,) * 70, columns=10, scale=1.5)), "expected at most 64 digits, found 70"),
    ],
)
def test_refused(tmp_path: Path, pictures: Any, words: str) -> None:
    if isinstance(pictures, bytes):
        (tmp_path / "picture.png").write_bytes(pictures)
        pictures = tmp_path / "picture.png"
    with pytest.raises(mnistgen.InputError) as error:
        mnistgen.read_digits(pictures)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
