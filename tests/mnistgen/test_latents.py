"""Latents and labels depend only on seed and index."""

import hashlib
import math
from statistics import NormalDist

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnistgen._latents import INDICES, SEEDS, draw, normal_quantiles

seeds = st.integers(0, SEEDS - 1)
starts = st.integers(0, INDICES - 1000)
dims = st.integers(1, 300)

RECORDED_LABELS = [2, 4, 1, 5, 2, 7, 9, 4, 5, 9, 6, 5]
RECORDED_DIGEST = "fb5bf4b45e3dbdd6ae8df7eb99a935ca1109523810fa45ff15edd3889e85671d"


@given(seeds, starts, st.lists(st.integers(1, 40), min_size=1, max_size=6), dims)
def test_ranges_can_be_split(seed: int, start: int, parts: list[int], dim: int) -> None:
    latents, labels = draw(seed, start, sum(parts), dim)
    assert (latents.shape, latents.dtype.name) == ((sum(parts), dim), "float32")
    assert (labels.shape, labels.dtype.name) == ((sum(parts),), "int64")
    assert np.abs(latents).max() < 4.4
    assert 0 <= labels.min() <= labels.max() <= 9
    offset = 0
    for count in parts:
        part_latents, part_labels = draw(seed, start + offset, count, dim)
        assert part_latents.tobytes() == latents[offset : offset + count].tobytes()
        assert part_labels.tobytes() == labels[offset : offset + count].tobytes()
        offset += count


def test_latents_are_standard_normal_and_independent() -> None:
    latents, labels = draw(3, 10**12, 20_000, 16)
    assert abs(latents.mean()) < 0.01
    np.testing.assert_allclose(np.cov(latents, rowvar=False), np.eye(16), atol=0.04)
    assert abs(float((latents**4).mean()) - 3) < 0.1  # the kurtosis of a normal distribution
    counts = np.bincount(labels, minlength=10)
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # chi-squared, 9 degrees of freedom, p = 0.001
    assert abs(np.corrcoef(latents[:, 0], labels)[0, 1]) < 0.03


def test_matches_recorded_bits() -> None:
    """A change would change the digits of all existing seeds."""
    latents, labels = draw(1, 0, 1000, 100)
    assert labels[:12].tolist() == RECORDED_LABELS
    assert hashlib.sha256(latents.tobytes() + labels.tobytes()).hexdigest() == RECORDED_DIGEST


def test_table_contains_normal_quantiles() -> None:
    """Equals Python's quantiles, rounded to float32; none is so close to a tie that its last bit could matter."""
    table = normal_quantiles()
    exact = [NormalDist().inv_cdf((k + 0.5) / 2**16) for k in range(2**15, 2**16)]
    for value, rounded in zip(exact, table[2**15 :], strict=True):
        below = np.nextafter(rounded, np.float32(0), dtype=np.float32)
        above = np.nextafter(rounded, np.float32(9), dtype=np.float32)
        low, high = (float(below) + float(rounded)) / 2, (float(rounded) + float(above)) / 2
        assert low + 8 * math.ulp(value) < value < high - 8 * math.ulp(value)
    assert (table == -table[::-1]).all()
    assert (np.diff(table) > 0).all()


@given(seeds, starts, st.lists(st.integers(0, 10**6), min_size=10, max_size=10).filter(any))
def test_weights_determine_class_frequencies_only(seed: int, start: int, weights: list[int]) -> None:
    n = 1000
    latents, labels = draw(seed, start, n, 64)
    assert (draw(seed, start, n, 64, [7] * 10)[1] == labels).all()
    other, weighted = draw(seed, start, n, 64, weights)
    assert (other == latents).all()
    counts = np.bincount(weighted, minlength=10)
    expected = np.array(weights) / sum(weights) * n
    assert (np.abs(counts - expected) <= 6 * np.sqrt(expected + 1)).all()
    assert not counts[np.array(weights) == 0].any()
