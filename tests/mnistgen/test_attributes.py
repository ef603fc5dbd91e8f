"""Attributes of digits, compared with shapes of known size and with scikit-image."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import mnistgen
from mnistgen._arrays import UInt8

REAL = Path(__file__).resolve().parents[1] / "data" / "MNIST" / "raw" / "train-images-idx3-ubyte"


def bar(height: int, width: int) -> UInt8:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 2 : 2 + height, 3 : 3 + width] = 255
    return image


@pytest.mark.parametrize(("height", "width"), [(20, 3), (3, 20), (10, 10), (1, 1), (20, 1)])
def test_a_bar_has_its_sides(height: int, width: int) -> None:
    found = mnistgen.measure(bar(height, width))
    assert (found.height[0], found.width[0]) == pytest.approx((height, width), rel=1e-3)
    assert found.ink[0] == pytest.approx(height * width)
    assert found.slant[0] == pytest.approx(0, abs=1e-4)
    assert found.thickness[0] == pytest.approx(4 / np.pi * height * width / (height + width), rel=1e-3)


@pytest.mark.parametrize("slant", [-0.5, -0.2, 0.3, 0.6])
def test_a_sheared_bar_has_its_slant_and_width(slant: float) -> None:
    y, x = np.mgrid[-139.5:140, -139.5:140] / 10  # pixels of a tenth
    large = (np.abs(x + y * np.tan(slant)) < 2) & (np.abs(y) < 9)
    image = np.round(255 * large.reshape(28, 10, 28, 10).mean((1, 3))).astype(np.uint8)
    found = mnistgen.measure(image[None])
    assert found.slant[0] == pytest.approx(slant, abs=0.01)
    assert found.width[0] == pytest.approx(4, abs=0.4)  # slanted edges are blurred


def test_real_digits_agree_with_scikit_image() -> None:
    pytest.importorskip("skimage")
    from skimage.measure import moments_central

    images = np.frombuffer(REAL.read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28)[:100]
    found = mnistgen.measure(images)
    for index, image in enumerate(images):
        moments = moments_central(image.astype(np.float64))
        xy, yy = moments[1, 1] / moments[0, 0], moments[2, 0] / moments[0, 0] + 1 / 12  # a pixel is a square
        assert found.slant[index] == pytest.approx(np.arctan(-xy / yy), abs=1e-3)
        assert found.height[index] == pytest.approx(np.sqrt(12 * yy), rel=1e-3)
    thickness = [medial_thickness(image) for image in images]
    assert np.corrcoef(found.thickness, thickness)[0, 1] > 0.97
    assert np.mean(found.thickness) == pytest.approx(np.mean(thickness), rel=0.1)


def medial_thickness(image: UInt8, scale: int = 4) -> float:
    """Mean stroke thickness in pixels, twice the distance from medial axis to background, as in Morpho-MNIST."""
    from skimage.morphology import medial_axis
    from skimage.transform import resize

    ink = resize(image / 255, (28 * scale, 28 * scale), order=3) >= 0.5
    axis, distance = medial_axis(ink, return_distance=True)
    return float(2 * distance[axis].mean() / scale)


@given(arrays(np.uint8, st.tuples(st.integers(1, 3), st.just(28), st.just(28))))
def test_any_image_has_attributes_in_range(images: UInt8) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of light grounds
        found = mnistgen.measure(images)
    drawn = found.ink > 0
    assert all(value.shape == (len(images),) and value.dtype == np.float32 for value in found)
    assert ((found.thickness[drawn] > 0) & (found.thickness[drawn] < 28)).all()
    assert (np.abs(found.slant[drawn]) < np.pi / 2).all()
    for extent in (found.width[drawn], found.height[drawn]):
        assert ((extent > 0.99) & (extent < 49)).all()


def test_blank_images() -> None:
    found = mnistgen.measure(np.zeros((2, 28, 28), np.uint8))
    assert found.ink.tolist() == [0, 0]
    assert np.isnan(np.stack(found[:-1])).all()


@pytest.mark.parametrize("images", [np.zeros((28, 28), np.uint8), np.zeros((1, 28, 28)), [[1]], None])
def test_other_arrays_are_refused(images: object) -> None:
    with pytest.raises(mnistgen.InputError, match=re.escape("images: expected uint8 (N, 28, 28), N at least 1, got ")):
        mnistgen.measure(images)  # type: ignore[arg-type]
