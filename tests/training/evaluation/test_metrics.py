"""Metrics, compared to other libraries, closed forms and brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from mnistgen._arrays import Float32
from training.data import DataSet
from training.evaluation.judges import bundled
from training.evaluation.metrics import (
    K,
    accuracy_score,
    copies,
    distance,
    gaussian,
    manifold,
    precision_recall_density_coverage,
)


def normal(count: int, seed: int, mean: float = 0.0) -> Float32:
    return (mean + np.random.default_rng(seed).standard_normal((count, 3))).astype(np.float32)


class TestFrechet:
    @given(mean=st.floats(-3, 3), deviation=st.floats(0.1, 4))
    def test_closed_form_for_scaled_and_shifted_features(self, mean: float, deviation: float) -> None:
        # scaled by `deviation` and shifted by `mean`: |m|² for the means and (1 - deviation)² for the variances
        points = normal(50, 1).astype(np.float64)
        first, second = gaussian(points), gaussian(points * deviation + mean)
        shift = points.mean(0) * (deviation - 1) + mean
        expected = shift @ shift + (1 - deviation) ** 2 * np.trace(first.covariance)
        assert distance(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-6)

    def test_agrees_with_torchmetrics(self, mnist: DataSet) -> None:
        class Features(nn.Module):
            num_features = 128

            def forward(self, images: Tensor) -> Tensor:
                return bundled().networks["classifier"].features(images.squeeze(1)).double()

        theirs = FrechetInceptionDistance(feature=Features())
        images = mnist.train.images
        theirs.update(images[:256].unsqueeze(1), real=True)
        theirs.update(images[256:].unsqueeze(1), real=False)
        features = [bundled().features(part.numpy(), "classifier") for part in (images[:256], images[256:])]
        assert distance(*map(gaussian, features)) == pytest.approx(float(theirs.compute()), rel=1e-4)


class TestPrecisionRecallDensityCoverage:
    def test_matches_brute_force(self) -> None:
        real, generated = normal(40, 1), normal(30, 2, mean=0.5)

        def within(points: Float32, others: Float32) -> NDArray[np.bool_]:
            own = np.linalg.norm(others[:, None] - others, axis=2)
            radii = np.sort(own, axis=1)[:, K]  # index 0 is the point itself
            inside: NDArray[np.bool_] = np.linalg.norm(points[:, None] - others, axis=2) < radii
            return inside

        in_real, in_generated = within(generated, real), within(real, generated)
        expected = {
            "precision": in_real.any(1).mean(),
            "recall": in_generated.any(1).mean(),
            "density": in_real.sum() / (K * len(generated)),
            "coverage": in_real.any(0).mean(),
        }
        assert precision_recall_density_coverage(manifold(real), manifold(generated)) == pytest.approx(expected)

    def test_disjoint_sets_give_zero_and_equal_sets_one(self) -> None:
        real, far = manifold(normal(40, 1)), manifold(normal(40, 1, mean=100))
        assert set(precision_recall_density_coverage(real, far).values()) == {0}
        same = precision_recall_density_coverage(real, real)
        assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)


class TestCopies:
    def test_finds_copies_and_skips_itself(self, mnist: DataSet) -> None:
        training = mnist.train.images.numpy()
        found = copies(training[7:9], training)
        assert found.neighbours.tolist() == [7, 8]
        assert found.distances == pytest.approx(0, abs=1e-3)
        assert found.authenticity == 0
        others = copies(training[7:9], training, skip_itself=True)
        assert others.distances == pytest.approx(found.own_distances)

    def test_authentic_if_farther_than_nearest_training_image(self) -> None:
        training = np.zeros((2, 28, 28), np.uint8)
        training[1, 0, 0] = 51  # 0.2 away
        images = np.zeros((2, 28, 28), np.uint8)
        images[:, 5, 5] = (26, 255)  # 0.1 and 1.0 away
        found = copies(images, training)
        assert found.distances == pytest.approx([26 / 255, 1.0], abs=1e-6)
        assert found.own_distances == pytest.approx([0.2, 0.2], abs=1e-6)
        assert found.authenticity == 0.5


def test_accuracy_score_is_higher_for_correct_labels(mnist: DataSet) -> None:
    images, labels = mnist.train.images.numpy(), mnist.train.labels.numpy()
    test = mnist.test.images.numpy(), mnist.test.labels.numpy()
    state = torch.get_rng_state()
    right = accuracy_score((images, labels), test, classes=10, seed=1)
    assert right > 0.7
    assert accuracy_score((images, (labels + 1) % 10), test, classes=10, seed=1) < 0.1
    assert accuracy_score((images, labels), test, classes=10, seed=1) == right
    assert torch.equal(state, torch.get_rng_state())
