"""The networks and hyperparameters match the published projects; numerical stability of the losses."""

import pytest
import torch
from torch import nn

from training.config import Adversarial, Network, Preset
from training.errors import TrainingError
from training.networks import build_discriminator, build_generator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import cyclic_labels, fixed_inputs
from training.objectives.losses import LOSSES, BinaryCrossEntropy
from training.presets import PRESETS
from training.run.device import choose

presets = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
PUBLISHED = {name: preset for name, preset in PRESETS.items() if not name.startswith("digits")}


def adversarial(preset: Preset) -> Adversarial:
    stage = preset.stages[0]
    assert isinstance(stage, Adversarial)
    return stage


def generator_of(name: str) -> GeneratorNetwork:
    return build_generator(PRESETS[name].network, PRESETS[name].latent_dim)


def discriminator_of(name: str) -> nn.Module:
    return build_discriminator(adversarial(PRESETS[name]).discriminator)


@presets
def test_shapes_and_ranges(preset: Preset) -> None:
    for index, stage in enumerate(preset.stages):
        network = preset.network_of(index)
        generator = build_generator(network, preset.latent_dim)
        inputs = fixed_inputs(generator, 1, cyclic_labels(6))
        with torch.no_grad():
            images = generator(*inputs)
            assert tuple(images.shape) == (6, 1, 28, 28)
            if isinstance(stage, Adversarial):
                discriminator = build_discriminator(stage.discriminator)
                assert tuple(discriminator(images, *inputs.classes).shape) == (6,)
        low, high = generator.image_range
        assert low <= float(images.min()) <= float(images.max()) <= high
        assert (network.options["final"] == "sigmoid") == (low == 0)


@pytest.mark.parametrize("preset", PUBLISHED.values(), ids=PUBLISHED)
def test_final_activation_matches_loss(preset: Preset) -> None:
    loss = LOSSES[adversarial(preset).loss]()
    assert isinstance(loss, BinaryCrossEntropy)
    assert loss.logits == (adversarial(preset).discriminator.options["final"] == "none")


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [("dcgan", 3_573_696, 661_248), ("mlp", 1_486_352, 533_505), ("mlp-bn", 1_489_936, 533_505)],
)
def test_parameter_counts(name: str, generator: int, discriminator: int) -> None:
    networks = generator_of(name), discriminator_of(name)
    assert [sum(value.numel() for value in network.parameters()) for network in networks] == [generator, discriminator]


def test_dcgan_matches_publication() -> None:
    torch.manual_seed(0)
    generator, discriminator = generator_of("dcgan"), discriminator_of("dcgan")
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


def test_he_initialization_gives_diverse_images() -> None:
    torch.manual_seed(0)
    spreads = {}
    for init in ("default", "he"):
        generator = build_generator(Network("mlp", PRESETS["mlp-relu"].network.options | {"init": init}), 100)
        spreads[init] = float(generator(torch.randn(100, 100)).detach().std(dim=0).mean())
    assert spreads["he"] > 3 * spreads["default"]


def test_dropout_is_inactive_in_evaluation() -> None:
    discriminator = discriminator_of("mlp-dropout")
    images = torch.rand(4, 1, 28, 28)
    assert not torch.equal(discriminator(images), discriminator(images))
    discriminator.eval()
    assert torch.equal(discriminator(images), discriminator(images))


class TestLosses:
    def test_logits_match_probabilities(self) -> None:
        logits = torch.randn(50)
        plain, on_logits = BinaryCrossEntropy(logits=False), BinaryCrossEntropy(logits=True)
        for first, second in (
            (plain.generator(logits.sigmoid()), on_logits.generator(logits)),
            (plain.discriminator(logits.sigmoid(), -logits.sigmoid() + 1), on_logits.discriminator(logits, -logits)),
            (plain.probability(logits.sigmoid()), on_logits.probability(logits)),
        ):
            assert torch.allclose(first, second, atol=1e-6)

    def test_smoothed_targets_are_uniform(self) -> None:
        """The gradient with respect to a logit is sigmoid(logit) - target, which gives the target."""
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

    def test_confident_scores_stay_finite_under_autocast(self) -> None:
        compute = choose("cpu", precision="bfloat16")
        discriminator = discriminator_of("mlp-relu")
        with compute.autocast():
            scores = discriminator(torch.rand(4, 1, 28, 28))
        assert scores.dtype == torch.float32


def test_hyperparameters_match_publications() -> None:
    stages = {name: adversarial(preset) for name, preset in PUBLISHED.items()}
    numbers = {name: (stage.epochs, stage.batch_size) for name, stage in stages.items()}
    assert numbers["mlp"] == (40, 128)
    assert numbers["mlp-dropout"] == (200, 100)
    assert numbers["mlp-bn"] == (100, 128)
    for name, stage in stages.items():
        assert PUBLISHED[name].latent_dim == 100
        assert stage.betas == ((0.0, 0.9) if name == "mlp-relu" else (0.5, 0.999))
        assert stage.learning_rate == 2e-4 or name == "conv"  # whose publication does not specify it


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_missing_cuda_raises() -> None:
    with pytest.raises(TrainingError, match="torch finds no CUDA device"):
        choose("cuda")
    assert choose("auto").device.type == "cpu"
