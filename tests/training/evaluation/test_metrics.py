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
from training.data import Mnist
from training.errors import EvaluationError
from training.evaluation.accuracy_score import accuracy_score
from training.evaluation.frechet import Gaussian, distance, gaussian
from training.evaluation.judges import features, load_judge
from training.evaluation.neighbours import K, copies, manifold, precision_recall_density_coverage


def normal(count: int, seed: int, mean: float = 0.0, deviation: float = 1.0, dimensions: int = 3) -> Float32:
    draws = np.random.default_rng(seed).standard_normal((count, dimensions))
    return (mean + deviation * draws).astype(np.float32)


class TestFrechet:
    @given(mean=st.floats(-3, 3), deviation=st.floats(0.1, 4))
    def test_closed_form_for_scaled_and_shifted_features(self, mean: float, deviation: float) -> None:
        # scaled by `deviation` and shifted by `mean`: |m|² for the means and (1 - deviation)² for the variances
        points = normal(50, 1).astype(np.float64)
        first, second = gaussian(points), gaussian(points * deviation + mean)
        shift = points.mean(0) * (deviation - 1) + mean
        expected = shift @ shift + (1 - deviation) ** 2 * np.trace(first.covariance)
        assert distance(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-6)

    def test_closed_form_for_diagonal_covariances(self) -> None:
        # diagonal covariances: the sum of (s1 - s2)² over the axes
        first = Gaussian(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
        second = Gaussian(np.array([1.0, 0.0]), np.diag([1.0, 16.0]))
        assert distance(first, second) == pytest.approx(2**2 + (2 - 1) ** 2 + (3 - 4) ** 2)

    def test_agrees_with_torchmetrics(self, mnist: Mnist) -> None:
        class Features(nn.Module):
            num_features = 128

            def forward(self, images: Tensor) -> Tensor:
                with torch.no_grad():
                    return load_judge("classifier").features(images.squeeze(1)).double()

        theirs = FrechetInceptionDistance(feature=Features())
        images = mnist.train.images
        theirs.update(images[:256].unsqueeze(1), real=True)
        theirs.update(images[256:].unsqueeze(1), real=False)
        ours = distance(*(gaussian(features(part.numpy(), "classifier")) for part in (images[:256], images[256:])))
        assert ours == pytest.approx(float(theirs.compute()), rel=1e-4)

    def test_one_sample_raises(self) -> None:
        with pytest.raises(EvaluationError, match="expected at least 2 samples, got 1"):
            gaussian(normal(1, 0))


class TestPrecisionRecallDensityCoverage:
    def test_matches_brute_force(self) -> None:
        real, generated = normal(40, 1), normal(30, 2, mean=0.5)

        def ball(points: Float32, centre: int) -> float:
            return float(np.sort(np.linalg.norm(points - points[centre], axis=1))[K])  # index 0 is the point itself

        def within(points: Float32, others: Float32) -> NDArray[np.bool_]:
            radii = [ball(others, centre) for centre in range(len(others))]
            return np.array([[np.linalg.norm(p - o) < r for o, r in zip(others, radii, strict=True)] for p in points])

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

    def test_too_few_samples_raise(self) -> None:
        with pytest.raises(EvaluationError, match=f"expected at least {K + 1} samples, got {K}"):
            manifold(normal(K, 0))


class TestCopies:
    def test_finds_copies_and_skips_itself(self, mnist: Mnist) -> None:
        training = mnist.train.images.numpy()
        distances = copies(training, training, np.zeros(512, np.float32), skip_itself=True).distances
        found = copies(training[7:9], training, distances)
        assert found.neighbours.tolist() == [7, 8]
        assert found.distances == pytest.approx(0, abs=1e-3)
        assert not found.authentic.any()

    def test_authentic_if_farther_than_nearest_training_digit(self) -> None:
        training = np.zeros((2, 28, 28), np.uint8)
        training[1, 0, 0] = 51  # 0.2 grey levels away
        drawn = np.zeros((2, 28, 28), np.uint8)
        drawn[:, 5, 5] = (26, 255)  # 0.1 and 1.0 away
        found = copies(drawn, training, np.array([0.2, 0.2], np.float32))
        assert found.distances == pytest.approx([26 / 255, 1.0], abs=1e-6)
        assert found.authentic.tolist() == [False, True]


class TestAccuracyScore:
    def test_correct_labels_score_higher_than_wrong_ones(self, mnist: Mnist) -> None:
        images, labels = mnist.train.images.numpy(), mnist.train.labels.numpy()
        test = mnist.test.images.numpy(), mnist.test.labels.numpy()
        state = torch.get_rng_state()
        right = accuracy_score(images, labels, *test, seed=1)
        wrong = accuracy_score(images, (labels + 1) % 10, *test, seed=1)
        assert right > 0.7
        assert wrong < 0.1
        assert accuracy_score(images, labels, *test, seed=1) == right
        assert torch.equal(state, torch.get_rng_state())
