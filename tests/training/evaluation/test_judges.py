"""The judges: features, weights, data splits, baselines and training."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mnistgen._arrays import UInt8
from tests.training.conftest import RunScript
from tests.training.small import DATA
from training.data import Digits, Mnist
from training.errors import EvaluationError
from training.evaluation import judges
from training.evaluation.baseline import FORMS, Form, baseline, geometric_mean
from training.evaluation.judges import JUDGES, MAX_FEATURES, checksums, classify, features, load_judge
from training.fitting import Phase

each_judge = pytest.mark.parametrize("name", JUDGES)
each_form = pytest.mark.parametrize("form", FORMS)
# Recorded sums of the features of the first four test digits, the same on every machine.
SUMS = {
    "classifier": [59.4226, 82.7717, 53.6191, 58.6828],
    "mixer": [0.5536, 0.2924, -0.0823, -0.3102],
    "autoencoder": [-20.5063, -5.3152, -4.6386, 10.5426],
    "untrained": [17.255232, 22.475664, 12.268834, 26.122822],
}


@pytest.fixture
def other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to load weights from instead of the committed ones."""
    monkeypatch.setattr(judges, "WEIGHTS", tmp_path)
    load_judge.cache_clear()
    yield tmp_path
    load_judge.cache_clear()


class TestFeatures:
    @each_judge
    def test_match_recorded_values(self, mnist: Mnist, name: str) -> None:
        found = features(mnist.test.images.numpy()[:4], name)
        assert found.dtype == np.float32
        assert len(found) == 4
        assert found.shape[1] <= MAX_FEATURES
        assert found.sum(axis=1) == pytest.approx(SUMS[name], rel=1e-3, abs=1e-3)

    @each_judge
    def test_loading_keeps_global_random_state(self, name: str) -> None:
        load_judge.cache_clear()
        state = torch.get_rng_state()
        assert not load_judge(name).training
        assert torch.equal(state, torch.get_rng_state())

    def test_classifier_accuracy_on_test_digits(self, mnist: Mnist) -> None:
        predicted = classify(features(mnist.test.images.numpy(), "classifier"))
        assert (predicted.labels == mnist.test.labels.numpy()).mean() > 0.98
        assert ((predicted.confidence >= 0.1) & (predicted.confidence <= 1)).all()

    def test_damaged_weights_raise(self, other_weights: Path) -> None:
        (other_weights / "mixer.safetensors").write_bytes(b"nothing")
        with pytest.raises(
            EvaluationError, match=r"mixer\.safetensors: not the weights of judge mixer .*restore the file"
        ):
            load_judge("mixer")


class TestWeights:
    @pytest.mark.parametrize("name", checksums())
    def test_card_matches_weights(self, name: str) -> None:
        card = json.loads((judges.WEIGHTS / f"{name}.json").read_text())
        network = load_judge(name)
        assert card["sha256"] == checksums()[name]
        assert [Phase(**phase)[:3] for phase in card["phases"]] == [phase[:3] for phase in JUDGES[name].phases]
        assert card["summary"]
        assert not network.training


@pytest.fixture(scope="module")
def full_size() -> Mnist:
    """A data set of MNIST's size and class proportions, whose images contain only their index."""

    def digits(count: int, first: int) -> Digits:
        images = torch.zeros(count, 28, 28, dtype=torch.uint8)
        numbers = torch.arange(first, first + count, dtype=torch.int32)
        images.view(count, -1)[:, :4] = numbers.view(torch.uint8).view(-1, 4)
        shares = torch.tensor([987, 1124, 993, 1022, 974, 904, 986, 1044, 975, 991]).float()
        labels = torch.multinomial(shares, count, replacement=True, generator=torch.Generator().manual_seed(first))
        return Digits(images, labels, "")

    return Mnist(digits(60_000, 0), digits(10_000, 60_000))


class TestSplits:
    """Target, fresh digits and the judges' training digits are disjoint."""

    @each_form
    @pytest.mark.parametrize("size", ["full_size", "mnist"])
    def test_splits_are_disjoint(self, request: pytest.FixtureRequest, size: str, form: Form) -> None:
        mnist: Mnist = request.getfixturevalue(size)
        target, fresh = FORMS[form].split(mnist)
        for one, other in ((target, fresh), (target, mnist.seen), (fresh, mnist.seen)):
            assert not hashes(one) & hashes(other)
        assert len(hashes(target)) == len(target)

    def test_quick_target_is_held_out_with_balanced_classes(self, full_size: Mnist) -> None:
        target, fresh = FORMS["quick"].split(full_size)
        assert hashes(target) <= hashes(full_size.validation)
        assert not hashes(target) & hashes(full_size.training_split)
        assert len(target) == pytest.approx(5_000, abs=5)
        assert (target.counts() - fresh.counts()).abs().max() <= 1

    @each_form
    def test_baseline_contents(self, mnist: Mnist, form: Form) -> None:
        real = baseline(mnist, form)
        target, fresh = FORMS[form].split(mnist)
        assert real.target.images.tobytes() == target.images.numpy().tobytes()
        assert real.target.labels.tolist() == target.labels.tolist()
        assert real.fresh.images.tobytes() == fresh.images.numpy().tobytes()
        assert real.target.name.startswith(f"{len(target)} ")
        assert real.target.shares.sum() == pytest.approx(1)


class TestBaseline:
    def test_ratio_is_geometric_mean_over_judges(self, mnist: Mnist) -> None:
        real = baseline(mnist, "quick")
        images = mnist.test.images.numpy()
        ratios = real.ratios(images)
        assert ratios.keys() == JUDGES.keys()
        assert real.ratio(images) == pytest.approx(np.exp(np.mean(np.log(list(ratios.values())))))
        assert geometric_mean({"one": 2.0, "another": 8.0}) == pytest.approx(4)

    def test_fresh_digits_have_ratio_one(self, mnist: Mnist) -> None:
        real = baseline(mnist, "full")
        assert real.ratios(real.fresh.images) == pytest.approx(dict.fromkeys(JUDGES, 1))

    @each_judge
    def test_each_judge_detects_degradation(self, mnist: Mnist, name: str) -> None:
        real = baseline(mnist, "full")
        images = real.fresh.images
        noise = np.random.default_rng(0).standard_normal(images.shape)

        def noisy(sigma: float) -> UInt8:
            return ((images / 255 + sigma * noise).clip(0, 1) * 255).astype(np.uint8)

        moved, binary = np.roll(images, 2, axis=2), np.where(images > 127, 255, 0).astype(np.uint8)
        few = np.repeat(images[:5], len(images) // 5, axis=0)
        ratios = [real.ratios(damaged)[name] for damaged in (images, noisy(0.1), noisy(0.3))]
        assert ratios == sorted(ratios)
        assert ratios[2] > 1.3 * ratios[0]
        assert min(real.ratios(damaged)[name] for damaged in (moved, binary, few)) > 1


class TestTraining:
    def test_writes_weights_and_card(
        self, run_script: RunScript, mnist: Mnist, other_weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in checksums():
            phases = (Phase(1, 2e-3, 0.5, batch_size=50), Phase(1, 1e-3))
            monkeypatch.setitem(JUDGES, name, JUDGES[name]._replace(phases=phases))
        outcome = run_script("training/evaluation/train_judges.py", "--data", DATA, "--out", other_weights)
        assert outcome.code == 0, outcome.err
        for name in checksums():
            card = json.loads((other_weights / f"{name}.json").read_text())
            assert (card["name"], len(card["phases"])) == (name, 2)
            assert card["data"]["sha256"] == mnist.train.sha256
            assert (card["accuracy"] is None) == (name == "autoencoder")
            found = features(mnist.test.images.numpy(), name)
            assert np.isfinite(found).all()
            assert found.std(axis=0).max() > 0

    def test_unknown_names_raise(self, run_script: RunScript, tmp_path: Path) -> None:
        outcome = run_script("training/evaluation/train_judges.py", "untrained", "--data", DATA, "--out", tmp_path)
        line = "train_judges.py: judges: expected classifier, mixer, autoencoder, got untrained\n"
        assert (outcome.code, outcome.err) == (1, line)


def hashes(digits: Digits) -> set[bytes]:
    return {image.numpy().tobytes() for image in digits.images}
