"""Digits read from pictures: found, in order, normalised as MNIST's; what is rejected, and what is refused."""

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import mnistgen
from benchmarks.pages import ROWS
from benchmarks.reading import score
from benchmarks.sheets import TEST_DIGITS, Digits
from mnistgen._arrays import UInt8
from tests.conftest import RunCli, assert_refused

REAL: UInt8 = np.fromfile(TEST_DIGITS / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
LABELS = np.fromfile(TEST_DIGITS / "t10k-labels-idx1-ubyte", np.uint8, offset=8)
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


def page(indices: tuple[int, ...] = ROW, columns: int = 3, scale: float = 4.0) -> NDArray[np.float32]:
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


def with_minus() -> NDArray[np.float32]:
    """A page with a stroke that is no digit."""
    ink = np.pad(page(), ((0, 60), (0, 0)))
    ink[-40:-28, 40:100] = 1
    return ink


def test_digits_of_mnist_come_back() -> None:
    reading = mnistgen.read_digits([Image.fromarray(image) for image in REAL[:60]])
    assert len(reading.labels) >= 58
    assert (reading.labels == LABELS[reading.pages]).mean() > 0.97
    assert np.abs(reading.images.astype(float) - REAL[reading.pages]).mean() < 1.5  # moved by a pixel at most
    assert ((reading.confidences > 0) & (reading.confidences <= 1)).all()


@settings(max_examples=25)
@example(index=1, scale=2.9375, light=False, left=0, top=0)
@given(st.sampled_from(ROW), st.floats(2, 9), st.booleans(), st.integers(0, 200), st.integers(0, 200))
def test_normalisation(index: int, scale: float, light: bool, left: int, top: int) -> None:
    """Size, place and polarity of a digit do not matter, and its box is where it is."""
    ink = np.pad(enlarged(REAL[index], scale), ((top + 20, 40), (left + 20, 40)))
    reading = mnistgen.read_digits(picture(ink, paper=20, pen=250) if light else picture(ink))
    (image,) = reading.images
    assert image.dtype == np.uint8
    assert image.max() == 255
    assert difference(reading.images, mnistgen.read_digits(picture(np.pad(enlarged(REAL[index], 5), 20))).images) < 25
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) == 19
    for axis in (0, 1):
        centre = np.average(np.arange(28), weights=image.sum(1 - axis))
        assert abs(centre - 14) < 0.6
    rows, columns = np.nonzero(ink > 0.5)
    expected = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert np.abs(reading.boxes[0] - expected).max() <= scale + 1  # a blurred pixel, and edges are whole pixels


# Pages of each row of the benchmark whose digits are all read.
RIGHT: dict[str, tuple[int, ...]] = dict.fromkeys(ROWS, (0, 1)) | {"Sudoku": (1, 2), "many digits": (0, 1, 2, 3)}


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


@pytest.mark.parametrize(("name", "k"), [(name, k) for name, ks in RIGHT.items() if name != "no digits" for k in ks])
def test_pages_that_people_read(name: str, k: int, digits: Digits) -> None:
    made = ROWS[name](np.random.default_rng([list(ROWS).index(name), k]), digits, k)
    reading = mnistgen.read_digits(made.picture)
    found = score(made, [tuple(box) for box in reading.boxes.tolist()], reading.labels.tolist())
    assert (reading.labels.tolist(), found.found, found.invented) == (made.labels, len(made.labels), 0)


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_pages_without_digits(k: int, digits: Digits) -> None:
    made = ROWS["no digits"](np.random.default_rng(k), digits, k)
    with pytest.raises(mnistgen.InputError, match="pictures: expected digits, found none; write larger or darker, or"):
        mnistgen.read_digits(made.picture)


def test_photo_with_uneven_light_and_noise(tmp_path: Path) -> None:
    ink = page()
    light = np.linspace(0.5, 1, ink.shape[1])[None] * np.linspace(0.8, 1, ink.shape[0])[:, None]
    grey = (225 - 180 * ink) * light + np.random.default_rng(0).normal(0, 6, ink.shape)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    photo = Image.fromarray(grey.clip(0, 255).astype(np.uint8)).rotate(90, expand=True)
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=70)
    reading = mnistgen.read_digits(tmp_path / "photo.jpg")
    assert reading.text == "720\n985"
    assert difference(reading.images, mnistgen.read_digits(picture(ink)).images) < 20


def test_fine_pens_are_thickened_and_thick_ones_kept() -> None:
    seven = Image.new("L", (300, 300))
    ImageDraw.Draw(seven).line([(90, 60), (200, 55), (140, 240)], 255, 2)
    thin = mnistgen.read_digits(seven).images
    assert 0.9 <= mnistgen.measure(thin).thickness[0] < 1.6
    again = mnistgen.read_digits(Image.fromarray(REAL[85])).images
    assert mnistgen.measure(again).thickness == pytest.approx(mnistgen.measure(REAL[85:86]).thickness, rel=0.1)


def test_a_picture_that_is_cropped_to_its_digit() -> None:
    rows, columns = np.nonzero(enlarged(REAL[1], 5) > 0.2)
    ink = enlarged(REAL[1], 5)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert mnistgen.read_digits(picture(ink)).text == "2"


def test_what_is_rejected_has_a_reason(digits: Digits) -> None:
    reasons = set()
    for k in (0, 2, 3, 4):  # a point, a minus, a tick, a letter
        made = ROWS["what is no digit"](np.random.default_rng([18, k]), digits, k)
        reading = mnistgen.read_digits(made.picture)
        assert len(reading.labels) == 9
        reasons |= {it.reason for it in reading.rejected}
        for _, (left, top, right, bottom), _ in reading.rejected:
            assert 0 <= left < right <= made.picture.width
            assert 0 <= top < bottom <= made.picture.height
    assert reasons == {"too small", "a line", "no digit"}


def test_drawn() -> None:
    ink = with_minus()
    reading = mnistgen.read_digits([picture(ink), picture(page((1,), 1))])
    drawn = np.asarray(reading.draw())
    assert drawn.shape == (len(ink) + len(page((1,), 1)), ink.shape[1], 3)
    for colour in ((0, 140, 0), (230, 110, 0)):
        assert (drawn == colour).all(axis=2).sum() > 100
    left, top, right, bottom = reading.boxes[-1] + [0, len(ink), 0, len(ink)]
    assert (drawn[top - 1, left:right] == (0, 140, 0)).all()
    assert (drawn[bottom, left:right] == (0, 140, 0)).all()


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
    assert difference(mnistgen.read_digits(shown).images, mnistgen.read_digits(plain).images) < 20


def test_paths_bytes_files_pictures_and_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    shown = picture(page((0, 1)))
    shown.save(path)
    levels = np.asarray(shown)
    colours = np.repeat(levels[..., None], 3, axis=2)
    alpha = np.concatenate([colours, np.full_like(colours[..., :1], 255)], axis=2)
    wanted = mnistgen.read_digits(path).images
    with path.open("rb") as file, Image.open(path) as opened:
        sources: list[Any] = [str(path), path.read_bytes(), file, opened, levels, colours, alpha, [opened], (path,)]
        for source in sources:
            assert np.array_equal(mnistgen.read_digits(source).images, wanted), type(source)
    for floats in (levels / 255, colours / np.float32(255)):
        assert difference(mnistgen.read_digits(floats).images, wanted) < 5
    two: list[Any] = [levels, path]
    both = mnistgen.read_digits(two)
    assert np.array_equal(both.images, np.concatenate([wanted, wanted]))
    assert both.text == "72\n72"


def test_all_pages_of_a_tiff(tmp_path: Path) -> None:
    first, *rest = (picture(page(row, 6)) for row in (ROW, ROW[::-1], ROW[:3]))
    first.save(tmp_path / "scan.tif", save_all=True, append_images=[*rest, Image.new("L", (100, 100), 255)])
    reading = mnistgen.read_digits(tmp_path / "scan.tif")
    assert reading.text == "720985\n589027\n720"
    assert reading.pages.tolist() == [0] * 6 + [1] * 6 + [2] * 3
    assert reading.rejected == [(3, (0, 0, 100, 100), "no digits")]


def test_large_photos_are_scaled_down_and_boxes_are_not() -> None:
    small = page((0, 1, 3), 3)
    photo = picture(np.pad(small, 60)).resize((9_000, 9_000 * (len(small) + 120) // (small.shape[1] + 120)))
    assert photo.width * photo.height > 20_000_000
    file = io.BytesIO()
    photo.save(file, "JPEG")
    reading = mnistgen.read_digits(file.getvalue())
    assert reading.text == "720"
    scale = 9_000 / (small.shape[1] + 120)
    assert np.abs(reading.boxes / scale - mnistgen.read_digits(picture(np.pad(small, 60))).boxes).max() < 3


def test_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(picture(page())).save(file, quality=90)
    assert mnistgen.read_digits(file.getvalue()).text == "720\n985"


def without(module: str, script: str) -> str:
    """What a script prints where a module is not installed."""
    script = f"import sys; sys.modules[{module!r}] = None\nimport mnistgen, numpy as np\n{script}"
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout


REFUSAL = "try:\n    print({})\nexcept mnistgen.MnistgenError as error:\n    print(type(error).__name__, error)"


def test_without_optional_packages(tmp_path: Path) -> None:
    printed = without("cv2", REFUSAL.format("mnistgen.imitate('page.png')"))
    assert printed == 'DependencyError read_digits: needs OpenCV; pip install "mnistgen[photos]"\n'
    assert without("cv2", "print(mnistgen.imitate(mnistgen.generate(2, digit=7), '12').shape)") == "(28, 56)\n"
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    printed = without("pillow_heif", REFUSAL.format(f"mnistgen.read_digits({str(tmp_path / 'a.heic')!r})"))
    assert "a.heic: expected a picture" in printed
    assert "HEIC needs pillow-heif" in printed


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG file of this size, without pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    sizes = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", sizes) + chunk(b"IDAT", b"")


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (b"no picture", "picture.png: expected a picture (a file such as PNG, its bytes, a Pillow image, an array;"),
        (png_header(30, 30), "picture.png: expected a picture"),
        (png_header(60_000, 60_000), "exceeds limit"),
        ("nowhere.png", "nowhere.png: expected a picture"),
        ("nowhere.png", "No such file or directory"),
        ([], "pictures: expected digits, found none"),
        ([Image.fromarray(REAL[0]), None], "picture 2: expected a picture"),
        (np.zeros((3, 40, 40, 5), np.uint8), "picture 1: expected a picture"),
        (np.zeros((0, 5), np.uint8), "pictures: expected digits, found none"),
        (Image.new("L", (100, 100), 255), "pictures: expected digits, found none"),
        (Image.new("RGBA", (100, 100), (0, 0, 0, 0)), "pictures: expected digits, found none"),
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


class TestCommand:
    def test_prints_lines_and_draws(self, run_cli: RunCli, tmp_path: Path) -> None:
        picture(page()).save(tmp_path / "page.png")
        assert (run_cli("read", tmp_path / "page.png").out) == "720\n985\n"
        outcome = run_cli("read", tmp_path / "page.png", "--json", "--out", tmp_path / "seen.png")
        found = json.loads(outcome.out)
        assert found["labels"] == [7, 2, 0, 9, 8, 5]
        assert found.keys() == {"labels", "confidences", "boxes", "pages", "text", "rejected"}
        with Image.open(tmp_path / "seen.png") as seen:
            assert seen.mode == "RGB"

    def test_says_what_was_not_read(self, run_cli: RunCli, tmp_path: Path) -> None:
        picture(with_minus()).save(tmp_path / "page.png")
        outcome = run_cli("read", tmp_path / "page.png")
        assert outcome.err == "mnistgen: parts of the pictures not read: 1; mnistgen read --out seen.png shows them\n"
        with pytest.warns(UserWarning, match=r"parts of the pictures that were not used: 1; read_digits"):
            mnistgen.imitate(tmp_path / "page.png", "7")

    def test_refused(self, run_cli: RunCli, tmp_path: Path) -> None:
        picture(page()).save(tmp_path / "page.png")
        assert_refused(run_cli("read", "missing.png"), 2, "missing.png: expected a picture")
        outcome = run_cli("read", tmp_path / "page.png", "--out", tmp_path / "seen.npz")
        assert_refused(outcome, 2, "expected a name ending in .png")
        assert [path.name for path in tmp_path.iterdir()] == ["page.png"]
