"""Pictures: rounding, grids and PNG files."""

import io

import numpy as np
import pytest
from PIL import Image

import mnistgen
from mnistgen._arrays import UInt8
from mnistgen._pictures import grid, to_uint8
from mnistgen._picture_files import write_png


def test_rounds_to_nearest() -> None:
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    assert (to_uint8(levels.copy()) == np.arange(256)).all()
    assert (to_uint8((levels + np.float32(0.4 / 255))[:255]) == np.arange(255)).all()


def test_grid_layout() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)
    picture = grid(images, columns=3)
    assert picture.shape == (3 * 32, 3 * 32)
    for index, image in enumerate(images):
        top, left = 32 * (index // 3) + 2, 32 * (index % 3) + 2
        assert (picture[top : top + 28, left : left + 28] == image).all()
    assert not picture[64:, 32:].any()


@pytest.mark.parametrize(
    ("count", "columns", "shape"), [(64, None, (8, 8)), (5, None, (2, 3)), (1, None, (1, 1)), (3, 8, (1, 3))]
)
def test_columns(count: int, columns: int | None, shape: tuple[int, int]) -> None:
    picture = grid(np.zeros((count, 28, 28), np.uint8), columns)
    assert picture.shape == (shape[0] * 32, shape[1] * 32)


def test_scale_repeats_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
    assert (grid(images, scale=3)[::3, ::3] == grid(images)).all()


@pytest.mark.parametrize(("name", "arguments"), [("columns", {"columns": 0}), ("scale", {"scale": -1})])
def test_invalid_arguments(name: str, arguments: dict[str, int]) -> None:
    with pytest.raises(mnistgen.InputError, match=f"{name}: expected a whole number, 1 or more, got"):
        grid(np.zeros((4, 28, 28), np.uint8), **arguments)


@pytest.mark.parametrize(
    ("images", "came"),
    [
        (np.zeros((0, 28, 28), np.uint8), r"uint8 \(0, 28, 28\)"),
        (np.zeros((4, 28, 28), np.float32), r"float32 \(4, 28, 28\)"),
        (np.zeros((28, 28), np.uint8), r"uint8 \(28, 28\)"),
        (np.uint8(0), r"np.uint8\(0\)"),
        ([[1], [2, 3]], r"\[\[1\], \[2, 3\]\]"),
    ],
)
def test_invalid_images(images: UInt8, came: str) -> None:
    with pytest.raises(mnistgen.InputError, match=rf"images: expected uint8 \(N, 28, 28\), N at least 1, got {came}"):
        grid(images)


@pytest.mark.parametrize("arguments", [{"scale": 1000}, {"scale": 2**26}, {"columns": 1, "scale": 129}])
def test_grid_size_limit(arguments: dict[str, int]) -> None:
    with pytest.raises(mnistgen.InputError, match=r"picture: expected at most 67,108,864 pixels in total, got"):
        grid(np.zeros((4, 28, 28), np.uint8), **arguments)


def test_png_is_lossless() -> None:
    picture = grid(np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8))
    file = io.BytesIO()
    write_png(file, picture)
    with Image.open(file) as read:
        assert read.format == "PNG"
        assert (np.asarray(read) == picture).all()
