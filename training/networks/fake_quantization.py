"""Fake quantization: a generator in the 8 bits of its export, for quantization-aware training.

Rounding has a straight-through gradient.
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
CALIBRATION = 1_000  # generated digits that the ranges come from


class FakeQuantizedGenerator(GeneratorNetwork):
    """The generator behind rounded weights and activations; `calibrate` determines the ranges of activations.

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
        self._logits = f"{next(reversed(products))}.output"

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
        """Determine the ranges of activations from fixed latents.

        Raises DivergedError where that is not finite.
        """
        inputs = fixed_inputs(self, 0, every_digit(CALIBRATION)).to(next(self.parameters()).device)
        self._observed = {}
        self.network(*inputs)
        ranges = {name: _levels(values) for name, values in self._observed.items()}
        self._levels = ranges | {self._logits: LOGITS}
        self._observed = None

    def _before(self, name: str, layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (self._rounded(name, inputs[0]),)

    def _after(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return self._rounded(name, output)

    def _rounded(self, name: str, values: Tensor) -> Tensor:
        if self._observed is not None:
            self._observed[name] = values
            return values
        scale, zero_point = self._levels[name]
        rounded: Tensor = _Round.apply(values.float(), scale, -zero_point, 255 - zero_point)
        return rounded


class _Round(torch.autograd.Function):
    """Values as multiples of the scale, from `low` to `high` of them, with a straight-through gradient.

    With torch's own fake quantization a step of the generator takes more than twice as long on CPUs.
    """

    @staticmethod
    def forward(context: Any, values: Tensor, scale: Tensor | float, low: int, high: int) -> Tensor:
        return values.div(scale).round_().clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


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
    rounded: Tensor = _Round.apply(weight, scales.view(-1, *[1] * (weight.dim() - 1)), -WEIGHT_LEVELS, WEIGHT_LEVELS)
    return rounded
