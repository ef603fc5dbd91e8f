"""Interpolation of latents: endpoints, norms and degenerate cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnistgen._arrays import Float32
from mnistgen._walks import Curve, linear, spherical, surface

latents = arrays(np.float32, 8, elements=st.floats(-4, 4, width=32))
paths = pytest.mark.parametrize("path", [spherical, linear])


@paths
@given(first=latents, last=latents)
def test_endpoints_are_exact(path: Curve, first: Float32, last: Float32) -> None:
    ends = path(first, last, np.array([0.0, 1.0]))
    assert ends.dtype == np.float32
    assert np.array_equal(ends, np.stack([first, last]))


@given(first=latents, last=latents, share=st.floats(0, 1))
def test_paths_are_symmetric(first: Float32, last: Float32, share: float) -> None:
    there = spherical(first, last, np.array(share))
    back = spherical(last, first, np.array(1 - share))
    assert np.isfinite(there).all()
    assert there == pytest.approx(back, abs=1e-3)


@given(seed=st.integers(0, 999), share=st.floats(0, 1))
def test_arc_keeps_norm_and_angular_speed(seed: int, share: float) -> None:
    first, last = np.random.default_rng(seed).standard_normal((2, 8)).astype(np.float32)
    last *= np.linalg.norm(first) / np.linalg.norm(last)
    between = spherical(first, last, np.array(share))
    assert np.linalg.norm(between) == pytest.approx(np.linalg.norm(first), rel=1e-4)

    def angle(one: Float32, other: Float32) -> float:
        return float(np.arccos(np.clip(one @ other / np.linalg.norm(one) / np.linalg.norm(other), -1, 1)))

    assert angle(first, between) == pytest.approx(share * angle(first, last), abs=2e-3)


@pytest.mark.parametrize("last", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_degenerate_arc_is_a_line(last: list[float]) -> None:
    first = np.array([1, 0], np.float32)
    halfway = spherical(first, np.array(last, np.float32), np.array(0.5))
    assert halfway.tolist() == [(1 + last[0]) / 2, 0]


@paths
def test_surface_corners_and_edges(path: Curve) -> None:
    corners = np.random.default_rng(1).standard_normal((4, 8)).astype(np.float32)
    down, right = np.linspace(0, 1, 3).repeat(5), np.tile(np.linspace(0, 1, 5), 3)
    points = surface(path, corners, down, right).reshape(3, 5, 8)
    assert np.array_equal(points[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    assert points[0] == pytest.approx(path(corners[0], corners[1], np.linspace(0, 1, 5)))
    assert points[:, 0] == pytest.approx(path(corners[0], corners[2], np.linspace(0, 1, 3)))
