"""The networks match the published projects; inputs and images of generators; fake quantization."""

import numpy as np
import pytest
import torch
from torch import nn

from mnistgen import Generator
from training.config import Network, Preset
from training.model import WEIGHTS, load_model
from training.networks import build_discriminator, build_encoder, build_generator
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import GeneratorNetwork, cyclic_labels, draw, fixed_inputs, frozen_copy
from training.presets import PRESETS

OPTIONS = {"widths": [16, 32], "activation": "leaky-relu", "final": "sigmoid", "init": "he"}


def small_generator(**options: object) -> GeneratorNetwork:
    """A generator with 6 latents, for three classes."""
    return build_generator(Network("mlp", OPTIONS | options), 6, 3)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_shapes_and_ranges(preset: Preset, classes: int) -> None:
    for network in {preset.network.architecture: preset.network, "teacher": preset.teacher.network}.values():
        generator = build_generator(network, preset.latent_dim, classes).eval()
        inputs = fixed_inputs(generator, 1, cyclic_labels(6, generator.classes))
        with torch.no_grad():
            images = generator(*inputs)
            scores = build_discriminator(preset.adversarial.discriminator, classes)(images, *inputs.classes)
        assert (tuple(images.shape), tuple(scores.shape)) == ((6, 1, 28, 28), (6,))
        low, high = generator.image_range
        assert low <= float(images.min()) <= float(images.max()) <= high
    if preset.encoder:
        latents, logits = build_encoder(preset.encoder.network, preset.latent_dim, classes)(torch.rand(6, 1, 28, 28))
        assert (tuple(latents.shape), tuple(logits.shape)) == ((6, preset.latent_dim), (6, classes))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("dcgan", [3_573_696, 661_248]), ("mlp", [1_486_352, 533_505]), ("mlp-bn", [1_489_936, 533_505])],
)
def test_published_parameter_counts(name: str, sizes: list[int]) -> None:
    preset = PRESETS[name]
    networks = build_generator(preset.network, 100, 10), build_discriminator(preset.adversarial.discriminator, 10)
    assert [sum(value.numel() for value in network.parameters()) for network in networks] == sizes


def test_dcgan_matches_publication() -> None:
    widths, features = [], torch.zeros(1, 100, 1, 1)
    for layer in build_generator(PRESETS["dcgan"].network, 100, 10).eval().layers:
        features = layer(features)
        if isinstance(layer, nn.ConvTranspose2d):
            widths.append(features.shape[-1])
            assert layer.bias is None
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, abs=0.003)
    assert widths == [4, 8, 16, 32, 28]


def test_images_depend_on_seed_and_label_only() -> None:
    generator = small_generator(conditional=True).eval()
    images = draw(generator, 1, cyclic_labels(700, 3))
    torch.randn(1)
    same, others = (draw(generator, 1, labels) for labels in (cyclic_labels(700, 3), torch.zeros(700).long()))
    assert images.shape == (700, 28, 28)
    assert np.array_equal(images, same)
    assert [np.array_equal(*pair) for pair in zip(images[:4], others[:4], strict=True)] == [True, False, False, True]


# --- fake quantization ------------------------------------------------------------------------------------------------


def test_error_of_fake_quantization_matches_the_bundled_export() -> None:
    exact = load_model(WEIGHTS / "digits.safetensors").generator
    quantized = FakeQuantizedGenerator(frozen_copy(exact))
    quantized.calibrate()
    labels = cyclic_labels(300, 10)
    images = [draw(network, 7, labels).astype(int) for network in (exact, quantized)]
    latents = fixed_inputs(exact, 7, labels).latents.numpy()
    exported = Generator("digits", device="cpu").decode(latents, labels.numpy())
    # Individual roundings depend on the last bit of a range; the mean error does not.
    error, fake_error = (np.square(others - images[0]).mean() ** 0.5 for others in (exported, images[1]))
    assert error > 1
    assert fake_error == pytest.approx(error, rel=0.1)


def test_gradients_of_fake_quantization_reach_float_weights() -> None:
    network = small_generator(conditional=True)
    quantized = FakeQuantizedGenerator(network)
    quantized.calibrate()
    quantized(torch.randn(30, 6), torch.eye(3).repeat(10, 1)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
