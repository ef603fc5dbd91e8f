"""Fake quantization with a straight-through estimator, for quantization-aware training.

It emulates the 8-bit arithmetic of the exported generator, see `export.to_onnx`.
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
from training.networks.generator import GeneratorNetwork, cyclic_labels, fixed_inputs

WEIGHT_LEVELS = 64  # on either side of 0: the export uses 7 of the 8 bits
PERCENTILE = 99.99  # of the activations determine the range; clipping outliers makes the quantization step smaller
QParams = tuple[float, int]  # of uint8: scale, zero point
# Logits outside this range give grey level 0 or 255. A quantization step changes a pixel by at most 1.8 grey levels.
LOGITS: QParams = (14 / 255, 128)
PIXELS: QParams = (1 / 255, 0)
PRODUCTS = (nn.Linear, nn.Conv2d)
CALIBRATION = 1_000  # generated digits that determine the activation ranges


class FakeQuantizedGenerator(GeneratorNetwork):
    """Wraps a generator and fake-quantizes its weights and activations. Call `calibrate` before the first forward.

    The wrapped network keeps its float weights, which receive the gradients.
    """

    def __init__(self, network: GeneratorNetwork) -> None:
        super().__init__()
        self.network = network
        self.image_range = network.image_range
        self.latent_dim, self.classes = network.latent_dim, network.classes
        products = {name: layer for name, layer in network.named_modules() if isinstance(layer, PRODUCTS)}
        self._weights = {f"{name}.weight" for name in products}
        self._qparams: dict[str, QParams] = {}  # of each layer's input and output
        self._observed: dict[str, Tensor] | None = None  # float activations, while calibrating
        for name, layer in products.items():
            layer.register_forward_pre_hook(partial(self._before, f"{name}.input"))
            layer.register_forward_hook(partial(self._after, f"{name}.output"))
        self._logits = f"{next(reversed(products))}.output"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Latents (N, D) and, if conditional, classes (N, K) -> images (N, 1, 28, 28) in `image_range`."""
        parameters = {
            name: _quantize_weight(value) if name in self._weights else value
            for name, value in self.network.named_parameters()
        }
        images: Tensor = functional_call(self.network, parameters, inputs)
        return images

    @torch.no_grad()
    def calibrate(self) -> None:
        """Determine the activation ranges from fixed latents. Raises DivergedError for non-finite activations."""
        inputs = fixed_inputs(self, 0, cyclic_labels(CALIBRATION, self.classes)).to(next(self.parameters()).device)
        self._observed = {}
        self.network(*inputs)
        self._qparams = {name: _choose_qparams(values) for name, values in self._observed.items()}
        self._qparams[self._logits] = LOGITS
        self._observed = None

    def _before(self, name: str, layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (self._quantize(name, inputs[0]),)

    def _after(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return self._quantize(name, output)

    def _quantize(self, name: str, values: Tensor) -> Tensor:
        if self._observed is not None:
            self._observed[name] = values
            return values
        scale, zero_point = self._qparams[name]
        quantized: Tensor = _FakeQuantize.apply(values.float(), scale, -zero_point, 255 - zero_point)
        return quantized


class _FakeQuantize(torch.autograd.Function):
    """Round to multiples of the scale, clamped to [low * scale, high * scale], with a straight-through gradient.

    On CPUs, a training step takes more than twice as long with torch.fake_quantize_per_tensor_affine.
    """

    @staticmethod
    def forward(context: Any, values: Tensor, scale: Tensor | float, low: int, high: int) -> Tensor:
        return values.div(scale).round_().clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return gradient, None, None, None


def _choose_qparams(values: Tensor) -> QParams:
    """The scale and zero point of uint8 for a range that includes 0 and PERCENTILE % of the values."""
    ordered = values.flatten().sort().values
    cut = int(len(ordered) * (1 - PERCENTILE / 100) / 2)
    low, high = min(float(ordered[cut]), 0.0), max(float(ordered[-1 - cut]), 0.0)
    if not math.isfinite(high - low):
        raise DivergedError("the generator's activations stopped being finite")
    scale = max((high - low) / 255, 1e-8)
    return scale, round(-low / scale)


def _quantize_weight(weight: Tensor) -> Tensor:
    """Fake-quantize a weight to int8 with one scale per output channel."""
    scales = weight.detach().flatten(1).abs().amax(dim=1).clamp(min=1e-8) / WEIGHT_LEVELS
    scales = scales.view(-1, *[1] * (weight.dim() - 1))
    quantized: Tensor = _FakeQuantize.apply(weight, scales, -WEIGHT_LEVELS, WEIGHT_LEVELS)
    return quantized
