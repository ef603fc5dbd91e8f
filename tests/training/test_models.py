"""The networks are those of the documents, and the losses what they say."""

import math

import pytest
import torch
from torch import nn

from training.config import Preset, from_json, to_json
from training.errors import PresetError, TrainingError
from training.networks import build_discriminator, build_generator
from training.networks.inputs import every_digit, fixed_inputs
from training.objectives.losses import LOSSES, BinaryCrossEntropy
from training.presets import PRESETS, resolve
from training.run.device import choose

presets = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
UNCONDITIONAL = {name: preset for name, preset in PRESETS.items() if preset.loss.startswith("bce")}


@presets
def test_shapes_and_ranges(preset: Preset) -> None:
    generator = build_generator(preset.architecture, preset.latent_dim, preset.generator)
    inputs = fixed_inputs(generator, 1, every_digit(6))
    with torch.no_grad():
        images = generator(*inputs)
        assert tuple(images.shape) == (6, 1, 28, 28)
        if not preset.distillation:
            discriminator = build_discriminator(preset.architecture, preset.discriminator)
            assert tuple(discriminator(images, *inputs.classes).shape) == (6,)
    low, high = generator.image_range
    assert low <= float(images.min()) <= float(images.max()) <= high
    assert (preset.generator["final"] == "sigmoid") == (low == 0)


@pytest.mark.parametrize("preset", UNCONDITIONAL.values(), ids=UNCONDITIONAL)
def test_scores_fit_the_loss(preset: Preset) -> None:
    loss = LOSSES[preset.loss]()
    assert isinstance(loss, BinaryCrossEntropy)
    assert loss.logits == (preset.discriminator["final"] == "none")


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [("dcgan", 3_573_696, 661_248), ("mlp", 1_486_352, 533_505), ("mlp-bn", 1_489_936, 533_505)],
)
def test_parameters(name: str, generator: int, discriminator: int) -> None:
    preset = PRESETS[name]
    networks = (
        build_generator(preset.architecture, 100, preset.generator),
        build_discriminator(preset.architecture, preset.discriminator),
    )
    assert [sum(value.numel() for value in network.parameters()) for network in networks] == [generator, discriminator]


def test_dcgan_follows_its_document() -> None:
    torch.manual_seed(0)
    preset = PRESETS["dcgan"]
    generator = build_generator("conv", 100, preset.generator)
    discriminator = build_discriminator("conv", preset.discriminator)
    kinds = [type(layer).__name__ for layer in generator.layers]
    assert kinds == ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * 4 + ["ConvTranspose2d"]
    layers = discriminator.layers
    assert isinstance(layers, nn.Sequential)
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == ["Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 2, "Conv2d"]
    for stack in (generator.layers, layers):
        convolutions = [layer for layer in stack if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
        assert all(layer.bias is None for layer in convolutions)
        assert all(abs(float(layer.weight.detach().std()) - 0.02) < 0.003 for layer in convolutions)
    widths = []
    features = torch.zeros(1, 100, 1, 1)
    for layer in generator.layers:
        features = layer(features) if not isinstance(layer, nn.BatchNorm2d) else features
        if isinstance(layer, nn.ConvTranspose2d):
            widths.append(features.shape[-1])
    assert widths == [4, 8, 16, 32, 28]


def test_a_he_generator_starts_with_different_images() -> None:
    torch.manual_seed(0)
    spreads = {}
    for init in ("default", "he"):
        generator = build_generator("mlp", 100, {**PRESETS["mlp-relu"].generator, "init": init})
        spreads[init] = float(generator(torch.randn(100, 100)).detach().std(dim=0).mean())
    assert spreads["he"] > 3 * spreads["default"]


def test_dropout_rests_in_evaluation() -> None:
    preset = PRESETS["mlp-dropout"]
    discriminator = build_discriminator("mlp", preset.discriminator)
    images = torch.rand(4, 1, 28, 28)
    assert not torch.equal(discriminator(images), discriminator(images))
    discriminator.eval()
    assert torch.equal(discriminator(images), discriminator(images))


class TestLosses:
    def test_cross_entropy_of_known_scores(self) -> None:
        loss = LOSSES["bce"]()
        real, fake = torch.tensor([0.9, 0.8]), torch.tensor([0.1, 0.3])
        expected = -(math.log(0.9) + math.log(0.8)) / 2 - (math.log(0.9) + math.log(0.7)) / 2
        assert float(loss.discriminator(real, fake)) == pytest.approx(expected)
        assert float(loss.generator(fake)) == pytest.approx(-(math.log(0.1) + math.log(0.3)) / 2)
        assert float(loss.probability(real)) == pytest.approx(0.85)

    def test_logits_are_probabilities_before_the_sigmoid(self) -> None:
        logits = torch.randn(50)
        plain, on_logits = BinaryCrossEntropy(logits=False), BinaryCrossEntropy(logits=True)
        for first, second in (
            (plain.generator(logits.sigmoid()), on_logits.generator(logits)),
            (plain.discriminator(logits.sigmoid(), -logits.sigmoid() + 1), on_logits.discriminator(logits, -logits)),
            (plain.probability(logits.sigmoid()), on_logits.probability(logits)),
        ):
            assert torch.allclose(first, second, atol=1e-6)

    def test_smoothed_targets_are_uniform_in_their_bounds(self) -> None:
        """The gradient of the cross entropy by the logit is sigmoid(logit) - target, which lays the targets open."""
        torch.manual_seed(0)
        real = torch.zeros(10_000, requires_grad=True)
        fake = torch.zeros(10_000, requires_grad=True)
        LOSSES["bce-with-logits-smoothed"]().discriminator(real, fake).backward()
        assert real.grad is not None
        assert fake.grad is not None
        for gradient, low, high in ((real.grad, 0.8, 1.0), (fake.grad, 0.0, 0.2)):
            targets = 0.5 - gradient * 10_000
            assert float(targets.min()) == pytest.approx(low, abs=1e-3)
            assert float(targets.max()) == pytest.approx(high, abs=1e-3)
            assert float(targets.mean()) == pytest.approx((low + high) / 2, abs=5e-3)

    def test_nan_becomes_a_loss_and_not_an_abort(self) -> None:
        for loss in (BinaryCrossEntropy(logits=False), BinaryCrossEntropy(logits=True)):
            assert torch.isnan(loss.generator(torch.tensor([0.5, math.nan])))

    def test_confident_scores_stay_finite_under_autocast(self) -> None:
        compute = choose("cpu", precision="bfloat16")
        preset = PRESETS["mlp-relu"]
        discriminator = build_discriminator("mlp", preset.discriminator)
        with compute.autocast():
            scores = discriminator(torch.rand(4, 1, 28, 28))
        assert scores.dtype == torch.float32


class TestPresets:
    @presets
    def test_json_keeps_everything(self, preset: Preset) -> None:
        assert from_json(to_json(preset)) == preset

    def test_the_documents_numbers(self) -> None:
        numbers = {name: (preset.epochs, preset.batch_size) for name, preset in PRESETS.items()}
        assert numbers["mlp"] == (40, 128)
        assert numbers["mlp-dropout"] == (200, 100)
        assert numbers["mlp-bn"] == (100, 128)
        for preset in UNCONDITIONAL.values():
            rate = 5e-4 if preset.name == "conv" else 2e-4  # its document names none, and 2e-4 left fours out
            assert (preset.learning_rate, preset.latent_dim) == (rate, 100)
            assert preset.betas == ((0.0, 0.9) if preset.name == "mlp-relu" else (0.5, 0.999))

    def test_unknown_fields_are_refused(self) -> None:
        with pytest.raises(PresetError, match="expected the fields of a preset"):
            from_json(to_json(PRESETS["mlp"]) | {"colour": "blue"})

    def test_changes(self) -> None:
        assert resolve("mlp", epochs=3, seed=None).epochs == 3
        with pytest.raises(PresetError, match="seed: expected 0"):
            resolve("mlp", seed=-1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(TrainingError, match="torch sees no CUDA device"):
        choose("cuda")
    assert choose("auto").device.type == "cpu"
