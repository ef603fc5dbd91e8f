"""Fake quantization, compared to the quantized export in onnxruntime."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export.build import build
from mnistgen import Generator
from tests.training.small import SMALL
from training.networks import build_generator
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import cyclic_labels, draw
from training.run.checkpoint import Header, generator_checkpoint
from training.stages.moment_matching import to_grey_levels

PRESET = SMALL["digits"]


@pytest.fixture
def network() -> GeneratorNetwork:
    torch.manual_seed(5)
    network = build_generator(PRESET.network, PRESET.latent_dim).eval()
    for parameter in network.layers[-1].parameters():
        parameter.data.mul_(3)  # for pixels of all grey levels
    return network


def test_error_matches_export(network: GeneratorNetwork, tmp_path: Path) -> None:
    header = Header(
        preset=PRESET,
        steps=(1, 1, 1),
        seconds=0.0,
        data_sha256="0" * 64,
        device="cpu",
        precision="float32",
        threads=1,
    )
    build(generator_checkpoint(network, header), tmp_path / "model")
    generator = Generator(tmp_path / "model", device="cpu")
    quantized = FakeQuantizedGenerator(build_generator(PRESET.network, PRESET.latent_dim).eval())
    quantized.network.load_state_dict(network.state_dict())
    quantized.calibrate()

    inputs = torch.randn(300, network.latent_dim), torch.eye(10).repeat(30, 1)
    exported = generator.decode(inputs[0].numpy(), inputs[1].argmax(dim=1).numpy()).astype(int)
    with torch.no_grad():
        exact, eight_bits = (np.rint(255 * net(*inputs).squeeze(1).numpy()).astype(int) for net in (network, quantized))
    # Individual roundings depend on the last bit of a range; the mean error does not.
    error, fake_error = (np.square(images - exact).mean() ** 0.5 for images in (exported, eight_bits))
    assert error > 0.5
    assert fake_error == pytest.approx(error, rel=0.35)


def test_gradients_reach_float_weights(network: GeneratorNetwork) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quantized = FakeQuantizedGenerator(network)
    quantized.calibrate()
    quantized(torch.randn(20, network.latent_dim), torch.eye(10).repeat(2, 1)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.equal(parameter, before[name]), name
        assert parameter.grad.any(), name


def test_generates_images(network: GeneratorNetwork) -> None:
    quantized = FakeQuantizedGenerator(network)
    quantized.calibrate()
    assert draw(quantized, 1, cyclic_labels(10)).shape == (10, 28, 28)


def test_grey_levels_have_straight_through_gradient() -> None:
    images = torch.tensor([-1.0, 0.001, 0.99]).requires_grad_()
    pixels = to_grey_levels(images, (-1.0, 1.0))
    assert torch.equal((pixels * 255).round() / 255, pixels)
    pixels.sum().backward()
    assert images.grad is not None
    assert images.grad.tolist() == [0.5, 0.5, 0.5]
