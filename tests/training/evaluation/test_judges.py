"""The judges and the baseline: bundled weights, training on other data, real images to compare with."""

import hashlib
import json

import numpy as np
import pytest
import torch

import mnistgen
from mnistgen._arrays import UInt8
from training.data import DataSet, load_data
from training.evaluation import judges
from training.evaluation.baseline import Form, baseline, geometric_mean
from training.evaluation.judges import JUDGES, bundled, judges_for, train_judge
from training.fit import Phase

each_judge = pytest.mark.parametrize("name", JUDGES)
each_form = pytest.mark.parametrize("form", ["full", "quick"])
# Recorded sums of the features of the first four test digits, the same on every machine.
SUMS = {
    "classifier": [59.4226, 82.7717, 53.6191, 58.6828],
    "mixer": [0.5536, 0.2924, -0.0823, -0.3102],
    "autoencoder": [-20.5063, -5.3152, -4.6386, 10.5426],
    "untrained": [17.255232, 22.475664, 12.268834, 26.122822],
}


class TestBundled:
    @each_judge
    def test_features_match_recorded_values(self, mnist: DataSet, name: str) -> None:
        found = bundled().features(mnist.test.images.numpy()[:4], name)
        assert found.dtype == np.float32
        assert found.sum(axis=1) == pytest.approx(SUMS[name], rel=1e-3, abs=1e-3)

    def test_loading_keeps_global_random_state(self) -> None:
        state = torch.get_rng_state()
        assert not any(network.training for network in bundled().networks.values())
        assert torch.equal(state, torch.get_rng_state())

    def test_classifier_reads_test_digits(self, mnist: DataSet) -> None:
        predicted, confidence = bundled().predict(bundled().features(mnist.test.images.numpy(), "classifier"))
        assert (predicted == mnist.test.labels.numpy()).mean() > 0.98
        assert ((confidence >= 0.1) & (confidence <= 1)).all()

    def test_cards_match_weights(self) -> None:
        for name, checksum in bundled().sha256.items():
            card = json.loads((judges.WEIGHTS / f"{name}.json").read_text())
            weights = (judges.WEIGHTS / f"{name}.safetensors").read_bytes()
            assert card["sha256"] == checksum == hashlib.sha256(weights).hexdigest()
            assert (bundled().accuracy[name] is None) == (name == "autoencoder")

    def test_default_model_generates_requested_digits(self) -> None:
        images, labels = mnistgen.generate_labelled(500, seed=3)
        assert bundled().label_accuracy(images, labels) > 0.97


class TestTrained:
    def test_judges_of_other_data_learn_its_classes(self, shapes: str, monkeypatch: pytest.MonkeyPatch) -> None:
        data = load_data(shapes)
        found = judges_for(data)
        assert list(found.networks) == list(JUDGES)
        assert found.features(data.test.images.numpy(), "classifier").shape == (150, 128)
        assert (found.accuracy["mixer"] or 0) > 0.8
        monkeypatch.setattr(judges, "train_judge", None)  # the second time they are cached
        assert judges_for(data).sha256 == found.sha256

    def test_unlabelled_data_has_no_classifiers(self, unlabelled: str) -> None:
        found = judges_for(load_data(unlabelled))
        assert list(found.networks) == ["autoencoder", "untrained"]
        assert found.main == "untrained"

    def test_weights_are_the_mean_over_phases(self, mnist: DataSet) -> None:
        part = mnist.train.select(slice(100))
        phases = Phase(1, 2e-3, 0.5, batch_size=50), Phase(1, 1e-3, 0.5, batch_size=50)
        state = torch.get_rng_state()
        first = train_judge("classifier", 10, phases[:1], part.images, part.labels).state_dict()
        both = train_judge("classifier", 10, phases, part.images, part.labels).state_dict()
        assert torch.equal(state, torch.get_rng_state())
        assert 0 < (first["head.weight"] - both["head.weight"]).abs().max() < 2e-3
        assert all(value.isfinite().all() for value in both.values())


class TestBaseline:
    @each_form
    def test_target_fresh_and_seen_images_are_disjoint(self, mnist: DataSet, form: Form) -> None:
        real = baseline(mnist, form)
        target, fresh, seen = map(hashes, (real.target.images, real.fresh.images, mnist.seen.images.numpy()))
        assert not target & fresh
        assert not target & seen
        assert not fresh & seen
        assert real.target.name.startswith(f"{len(target)} ")
        assert real.shares.sum() == pytest.approx(1)

    def test_quick_target_is_held_out_with_balanced_classes(self, shapes: str) -> None:
        data = load_data(shapes)
        real = baseline(data, "quick")
        assert hashes(real.target.images) <= hashes(data.validation.images.numpy())
        counts = [np.bincount(part.labels, minlength=3) for part in (real.target, real.fresh)]
        assert abs(counts[0] - counts[1]).max() <= 1

    def test_ratio_is_geometric_mean_over_judges(self, mnist: DataSet) -> None:
        real = baseline(mnist, "quick")
        images = mnist.test.images.numpy()
        ratios = real.ratios(real.judges.all_features(images))
        assert ratios.keys() == JUDGES.keys()
        assert real.ratio(images) == pytest.approx(np.exp(np.mean(np.log(list(ratios.values())))))
        assert geometric_mean({"one": 2.0, "another": 8.0}) == pytest.approx(4)

    def test_each_judge_detects_degradation(self, mnist: DataSet) -> None:
        real = baseline(mnist, "full")
        images = real.fresh.images
        moved, binary = np.roll(images, 2, axis=2), np.where(images > 127, 255, 0).astype(np.uint8)
        few = np.repeat(images[:5], len(images) // 5, axis=0)
        for degraded in (moved, binary, few):
            assert min(real.ratios(real.judges.all_features(degraded)).values()) > 1


def hashes(images: UInt8) -> set[bytes]:
    return {image.tobytes() for image in images}
