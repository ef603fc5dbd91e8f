"""The four training loops: what they learn, selection, resuming, divergence, and other numbers of classes."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.small import SMALL, SMALL_EPOCH, SMALL_POOL, drawn
from training.config import EMA, Cosine, Linear, Preset, value_at
from training.data import DataSet, Images, pass_order
from training.device import Compute
from training.distill import distill
from training.encoder import train_encoder
from training.errors import DivergedError
from training.losses import BinaryCrossEntropy
from training.model import Model, load_model
from training.moments import match_moments
from training.networks import build_discriminator, build_generator
from training.networks.generator import as_saved, cyclic_labels, draw, update_ema
from training.presets import PRESETS
from training.run import Run
from training.train import train_adversarial

DIGITS, MLP = SMALL["digits"], SMALL["mlp"]
PARAMETERS = {"digits": 989_072, "dcgan": 3_573_696, "conv": 759_873, "mlp-bn": 1_489_936} | dict.fromkeys(
    ("mlp", "mlp-relu", "mlp-dropout"), 1_486_352
)


class Loops:
    """Runs the loops on a data set. Held-out ratios are given, or else cheap."""

    def __init__(self, data: DataSet, compute: Compute, folder: Path) -> None:
        self.data, self.compute, self.folder, self.run = data, compute, folder, Run(folder)

    def start(self, name: str, *ratios: float) -> Any:
        """Start a run, or resume it if it exists, with another random state; returns a baseline."""
        self.run = Run(self.folder / name)
        self.run.how = {"data": self.data.sha256, "device": "cpu"}
        if self.run.path.exists():
            self.run.resume({}, self.data.sha256, "cpu")
            torch.manual_seed(99)
        else:
            self.run.create({})
        remaining, labels = list(ratios), np.arange(20) % len(self.data.classes)
        ratio = lambda images: remaining.pop(0) if remaining else float(images.mean())  # noqa: E731
        return SimpleNamespace(ratio=ratio, target=SimpleNamespace(labels=labels))

    def adversarial(self, preset: Preset, *ratios: float, name: str = "run", **changes: Any) -> Model:
        preset = replace(preset, adversarial=replace(preset.adversarial, **changes))
        return train_adversarial(preset, self.data, self.start(name, *ratios), self.run, self.compute)

    def later(self, loop: str, model: Model, **changes: Any) -> Model:
        """Run another loop of the default preset; the model is also the teacher."""
        config: Any = replace(getattr(DIGITS, loop), **changes)
        last = self.start(loop), self.run, self.compute
        if loop == "distillation":
            return distill(config, DIGITS, model, *last)
        if loop == "moments":
            return match_moments(config, model, model, self.data, *last)
        return train_encoder(config, model, self.data, *last)

    def logged(self, name: str) -> list[float]:
        """The values of a metric in the last run."""
        return [line[name] for line in self.run.read_metrics() if name in line]

    def checkpoint(self) -> Any:
        """The checkpoint of the last run."""
        return torch.load(self.run.path / "checkpoint.pt", weights_only=True)


@pytest.fixture
def loops(mnist: DataSet, compute: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loops:
    monkeypatch.setattr("training.train.EPOCH", SMALL_EPOCH)
    monkeypatch.setattr("training.features.POOL", SMALL_POOL)
    return Loops(mnist, compute, tmp_path)


def untrained(preset: Preset, data: DataSet) -> Model:
    torch.manual_seed(1)
    generator = build_generator(preset.network, preset.latent_dim, len(data.classes))
    return Model(preset, generator.eval().requires_grad_(False), None, data.card_entry())


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


class TestAdversarial:
    @pytest.mark.parametrize("name", ["conv", "mlp", "mlp-dropout"])
    def test_resume_is_bitwise_identical(self, loops: Loops, name: str) -> None:
        """With batch norm, smoothed labels or dropout."""
        loops.adversarial(SMALL[name], name="whole")
        expected = loops.checkpoint()
        loops.adversarial(SMALL[name], name="interrupted", epochs=1)
        loops.adversarial(SMALL[name], name="interrupted")
        found = loops.checkpoint()
        assert (found["step"], found["random"].tolist()) == (14, expected["random"].tolist())
        for network in ("generator", "discriminator", "ema"):
            for key, value in expected["state"][network].items():
                assert torch.equal(value, found["state"][network][key]), key

    def test_order_depends_on_seed_and_pass_only(self) -> None:
        orders = [pass_order(100, *pair).tolist() for pair in [(1, 0), (1, 1), (2, 0), (2, 1)]]
        assert pass_order(100, 1, 0).tolist() == orders[0]  # whatever was drawn since
        assert len(set(map(tuple, orders))) == 4
        assert all(sorted(order) == list(range(100)) for order in orders)

    def test_best_generator_is_kept(self, loops: Loops) -> None:
        best = loops.adversarial(MLP, 9, 4)
        model = loops.adversarial(MLP, 6, 5, epochs=4)  # resumed
        assert (model.steps, loops.logged("ratio")) == (14, [9, 4, 6, 5])
        assert equal(model.generator, best.generator)

    def test_patience_stops_early(self, loops: Loops) -> None:
        for ratios in ((9, 4, 6, 5, 3), (3,)):  # also when resumed
            assert loops.adversarial(MLP, *ratios, epochs=9, patience=2).steps == 14
            assert (loops.checkpoint()["step"], loops.logged("ratio")) == (28, [9, 4, 6, 5])

    def test_divergence_saves_nothing(self, loops: Loops, monkeypatch: pytest.MonkeyPatch) -> None:
        loss, calls = BinaryCrossEntropy.generator, []

        def failing(self: BinaryCrossEntropy, fake: Tensor, real: Tensor | None = None) -> Tensor:
            calls.append(fake)
            return loss(self, fake, real) * (float("nan") if len(calls) == 9 else 1.0)

        monkeypatch.setattr(BinaryCrossEntropy, "generator", failing)
        with pytest.raises(DivergedError, match=r"finite at step 9; the last good checkpoint is .*checkpoint\.pt"):
            loops.adversarial(MLP, log_every=100, checkpoint_every=2)
        assert loops.checkpoint()["step"] == 8
        assert load_model(loops.run.path / "1-adversarial.safetensors").steps == 7
        assert [path.stem[-1] for path in loops.run.sample_paths()] == ["4", "8"]

    def test_schedules_reach_the_optimisers(self, loops: Loops) -> None:
        rate, beta = Cosine(3e-4, 1e-5, warm_up=0.1), Linear(0.9, 0.99)
        loops.adversarial(MLP, learning_rate=rate, betas=(0.0, beta))
        for network in ("generator", "discriminator"):
            (group,) = loops.checkpoint()["state"][f"{network}_optimizer"]["param_groups"]
            assert (group["lr"], group["betas"]) == (value_at(rate, 13 / 14), (0.0, value_at(beta, 13 / 14)))

    def test_ema_half_life_and_ramp(self) -> None:
        for config, images_before, share in (
            (EMA(half_life=200, ramp=1.0), 1_000, 0.5**0.5),  # 100 of 200 images
            (EMA(half_life=200, ramp=0.1), 500, 0.25),  # 100 of at most 50
            (EMA(half_life=200, ramp=0.1), 0, 0.0),
        ):
            ema: Any = nn.Linear(1, 1, bias=False).requires_grad_(False)
            generator: Any = copy.deepcopy(ema)
            ema.weight.fill_(1.0)
            generator.weight.fill_(0.0)
            update_ema(ema, generator, config, images_before, 100)
            assert float(ema.weight) == pytest.approx(share)

    def test_saved_batch_norm_statistics_are_measured_again(self, loops: Loops) -> None:
        preset, name = SMALL["conv"], "layers.1.running_mean"
        generator = untrained(preset, loops.data).generator
        expected = generator.layers[0](torch.randn(4_000, preset.latent_dim, 1, 1)).mean((0, 2, 3))
        for samples, means in ((0, torch.zeros(16)), (2_000, expected)):
            torch.testing.assert_close(as_saved(generator, samples).state_dict()[name], means, atol=0.005, rtol=0.0)
        model = loops.adversarial(preset, epochs=1)
        assert not torch.equal(model.generator.state_dict()[name], loops.checkpoint()["state"]["ema"][name])


class TestLaterLoops:
    def test_student_approaches_the_teacher(self, loops: Loops) -> None:
        teacher = untrained(DIGITS.teacher, loops.data)
        nn.init.constant_(teacher.generator.layers[-1].bias, 9.0)  # type: ignore[arg-type]  # nearly all pixels are ink
        rate = Linear(0.01, 1e-4)
        student = loops.later("distillation", teacher, steps=60, evaluate_every=60, learning_rate=rate)
        assert loops.logged("distillation_loss")[-1] < 0.2 * loops.logged("distillation_loss")[0]
        assert draw(student.generator, 5, cyclic_labels(30, 10)).mean() > 230

    def test_moment_distance_decreases(self, loops: Loops) -> None:
        model = untrained(DIGITS, loops.data)
        others = {"pixel_error": 0.0, "feature_error": 0.0}
        loops.later("moments", model, steps=60, evaluate_every=60, memory=120, learning_rate=3e-3, **others)
        assert loops.logged("moment_distance")[-1] < 0.5 * loops.logged("moment_distance")[0]

    @pytest.mark.parametrize("memory", [200, 240])
    def test_before_memory_only_moments_are_filled(self, loops: Loops, memory: int) -> None:
        model = untrained(DIGITS, loops.data)
        loops.later("moments", model, memory=memory)
        state, name = loops.checkpoint()["state"], "layers.0.weight"
        assert torch.equal(state["generator"][name], model.generator.state_dict()[name]) == (memory == 6 * 40)
        assert all(value.abs().sum() > 0 for value in state["moments"].values())

    def test_encoder_learns_and_the_generator_stays(self, loops: Loops) -> None:
        model = untrained(DIGITS, loops.data)
        encoded = loops.later("encoder", model, steps=60, evaluate_every=60, learning_rate=0.01, label_error=1.0)
        errors = loops.logged("label_error")
        assert np.mean(errors[-5:]) < 0.8 * np.mean(errors[:5])
        assert equal(encoded.generator, as_saved(model.generator))

    @pytest.mark.parametrize("loop", ["distillation", "moments", "encoder"])
    def test_divergence(self, loops: Loops, loop: str) -> None:
        with pytest.raises(DivergedError, match="stopped being finite"):
            loops.later(loop, untrained(DIGITS, loops.data), learning_rate=1e30)

    def test_more_classes(self, loops: Loops) -> None:
        names = tuple("abcdefghijklmnopqrstuvwxyz")
        images, labels = (torch.from_numpy(array) for array in drawn(780, 26))
        train, test = (Images(images[rows], labels[rows], names, "letters") for rows in (slice(598), slice(598, None)))
        loops.data = DataSet(train, test)
        teacher = loops.adversarial(DIGITS.teacher, epochs=1)
        matched = loops.later("moments", loops.later("distillation", teacher))
        assert loops.run.images == 26  # of a batch size of 40: a multiple of the number of classes
        encoded = loops.later("encoder", matched)
        assert (encoded.generator.classes, encoded.data["classes"]) == (26, [*names])


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_preset_builds_its_networks(preset: Preset) -> None:
    generator = build_generator(preset.network, preset.latent_dim, 10)
    assert sum(value.numel() for value in generator.parameters()) == PARAMETERS[preset.name]
    assert generator.conditional == preset.is_conditional == (preset.name == "digits")
    build_discriminator(preset.adversarial.discriminator, 10)
