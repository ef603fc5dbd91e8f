"""A generator in the 8 bits that it will be exported in, for training: its gradient passes the rounding unchanged.

Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018 (arXiv:1712.05877), section 3.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from training.errors import DivergedError
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import every_digit, fixed_inputs

WEIGHT_LEVELS = 64  # either side of 0: what is left of int8 by the export, `export.quantize`
PERCENTILE = 99.99  # of activations lie within their range; the few beyond would make every other one's steps coarser
Levels = tuple[float, int]  # of uint8: scale, zero point
# What a sigmoid bends to a grey level: beyond these, paper is 0 and ink 255. Steps move a pixel by 1.8 levels at most.
LOGITS: Levels = (14 / 255, 128)
PIXELS: Levels = (1 / 255, 0)
PRODUCTS = (nn.Linear, nn.Conv2d)
CALIBRATION = 1_000  # digits that settle the ranges here


class FakeQuantizedGenerator(GeneratorNetwork):
    """The generator behind rounded weights and activations; `calibrate` settles the ranges of activations.

    The network's own weights stay as they are, and are what learns.
    """

    def __init__(self, network: GeneratorNetwork) -> None:
        super().__init__()
        self.network = network
        self.image_range = network.image_range
        self.latent_dim, self.conditional = network.latent_dim, network.conditional
        products = {name: layer for name, layer in network.named_modules() if isinstance(layer, PRODUCTS)}
        self._weights = {f"{name}.weight" for name in products}
        self._levels: dict[str, Levels] = {}  # of each product's input and output; none while they are observed
        self._observed: dict[str, Tensor] | None = None
        for name, layer in products.items():
            layer.register_forward_pre_hook(partial(self._before, f"{name}.input"))
            layer.register_forward_hook(partial(self._after, f"{name}.output"))
        last = {_last_product(drawer) for drawer in network.drawers()}
        self._logits = {f"{name}.output" for name, layer in products.items() if layer in last}

    def forward(self, *inputs: Tensor) -> Tensor:
        """As the network's own: latents (N, D), and classes (N, 10) -> images (N, 1, 28, 28)."""
        parameters = {
            name: _rounded_weight(value) if name in self._weights else value
            for name, value in self.network.named_parameters()
        }
        images: Tensor = functional_call(self.network, parameters, inputs)
        return images

    @torch.no_grad()
    def calibrate(self) -> None:
        """Settle the ranges by what the network makes of fixed latents now.

        Raises DivergedError where that is not finite.
        """
        inputs = fixed_inputs(self, 0, every_digit(CALIBRATION)).to(next(self.parameters()).device)
        self._observed = {}
        self.network(*inputs)
        ranges = {name: _levels(values) for name, values in self._observed.items() if name not in self._logits}
        self._levels = ranges | dict.fromkeys(self._logits, LOGITS)
        self._observed = None

    def _before(self, name: str, layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (self._rounded(name, inputs[0]),)

    def _after(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return self._rounded(name, output)

    def _rounded(self, name: str, values: Tensor) -> Tensor:
        if self._observed is not None:
            self._observed[name] = values
            return values
        return torch.fake_quantize_per_tensor_affine(values.float(), *self._levels[name], 0, 255)


def _last_product(network: GeneratorNetwork) -> nn.Module:
    return [layer for layer in network.layers.modules() if isinstance(layer, PRODUCTS)][-1]


def _levels(values: Tensor) -> Levels:
    """Scale and zero point of uint8 for the range, with 0 in it, that all values but the outermost few take."""
    ordered = values.flatten().sort().values
    cut = int(len(ordered) * (1 - PERCENTILE / 100) / 2)
    low, high = min(float(ordered[cut]), 0.0), max(float(ordered[-1 - cut]), 0.0)
    if not math.isfinite(high - low):
        raise DivergedError("the generator's activations stopped being finite")
    scale = max((high - low) / 255, 1e-8)
    return scale, round(-low / scale)


def _rounded_weight(weight: Tensor) -> Tensor:
    """Weights at the levels of int8, with a scale for each output channel."""
    scales = weight.detach().flatten(1).abs().amax(dim=1).clamp(min=1e-8) / WEIGHT_LEVELS
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -WEIGHT_LEVELS, WEIGHT_LEVELS)
