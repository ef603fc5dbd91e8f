"""The signature of exported networks, and its verification: PyTorch, TorchScript and onnxruntime must agree."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from export import ExportError
from mnistgen._runtime import import_onnxruntime
from training.networks.generator import GeneratorNetwork, Inputs, cyclic_labels, fixed_inputs


class ExportedGenerator(nn.Module):
    """A copy of a generator with the pixel range of exported models, batch norm folded and weights rounded to float16.

    The computation stays in float32. Rounding here makes the weights identical in PyTorch, TorchScript and ONNX.
    Without `clip`, which quantization cannot express, the pixels of a sigmoid remain in range all the same. Raises
    ExportError as `round_weights` does.
    """

    def __init__(self, generator: GeneratorNetwork, *, clip: bool = True) -> None:
        super().__init__()
        self.clip = clip
        self.low, self.high = generator.image_range
        self.network = copy.deepcopy(generator).cpu().eval()
        self.network.layers = fold_batch_norm(self.network.layers)
        round_weights(self.network)
        self.eval()

    def inputs(self, count: int, seed: int = 0) -> Inputs:
        """Random latents (count, D) and, for a conditional generator, cyclic classes (count, K)."""
        return fixed_inputs(self.network, seed, cyclic_labels(count, self.network.classes))

    def forward(self, latents: Tensor, classes: Tensor | None = None) -> Tensor:
        """Latents (N, D) and, if conditional, classes (N, K) -> images (N, 28, 28) in [0, 1], ink 1. All float32."""
        pixels = self.network(latents) if classes is None else self.network(latents, classes)  # -> (N, 1, 28, 28)
        images: Tensor = ((pixels - self.low) / (self.high - self.low)).reshape(-1, 28, 28)
        return images.clamp(0, 1) if self.clip else images  # some implementations of tanh exceed 1 by one ulp


class ExportedEncoder(nn.Module):
    """A copy of an encoder with weights rounded to float16. Raises ExportError as `round_weights` does."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(encoder).cpu().eval()
        round_weights(self.network)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 28, 28), 0 to 1, ink 1 -> latents (N, D) and label logits (N, K). All float32."""
        latents, logits = self.network(images.unsqueeze(1))
        return latents, logits


def fold_batch_norm(layers: nn.Sequential) -> nn.Sequential:
    """Fold each batch norm, in evaluation mode, into the layer before it, and remove dropout."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm1d) and isinstance(folded[-1], nn.Linear):
            folded[-1] = fuse_linear_bn_eval(folded[-1], layer)
        elif isinstance(layer, nn.BatchNorm2d) and isinstance(folded[-1], nn.ConvTranspose2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer, transpose=True)
        elif not isinstance(layer, nn.Dropout):
            folded.append(layer)
    return nn.Sequential(*folded)


def round_weights(network: nn.Module) -> None:
    """Round the weights to float16 precision, in place. Raises ExportError if they are NaN or beyond its range."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(False).copy_(parameter.half().float())
        if not parameter.isfinite().all():
            raise ExportError(f"{name}: expected finite weights in the range of float16, got larger ones or NaN")


def multiply_adds(network: nn.Module, *inputs: Tensor) -> int:
    """Multiply-adds of a network, by PyTorch's counter of floating-point operations (two per multiply-add)."""
    with FlopCounterMode(display=False) as counter:
        network(*inputs)
    return int(counter.get_total_flops()) // 2


# --- verification -----------------------------------------------------------------------------------------------------


class Tolerance(NamedTuple):
    """The allowed difference of values: at most `largest` for a fraction `share` of them, `mean` on average."""

    share: float
    largest: float
    mean: float


EXACT = Tolerance(share=1.0, largest=1e-5, mean=1e-5)  # of pixels, 0 to 1
# Quantization can change the shape of an ambiguous digit, so that a few pixels in 100,000 differ by up to 1. Images
# with more grey differ more on average: digits by 0.006, clothes by 0.013. The evaluation measures the effect.
QUANTIZED = Tolerance(share=0.999, largest=0.3, mean=0.03)
ENCODED = Tolerance(share=1.0, largest=1e-3, mean=1e-3)  # of latents and label logits: sums in another order
BATCHES = (1, 7, 256)


def load_graph(graph: bytes) -> Callable[..., list[NDArray[Any]]]:
    """A function from the inputs of a graph, as tensors on the CPU, to its outputs, by onnxruntime."""
    onnx.checker.check_model(graph, full_check=True)
    session = import_onnxruntime().InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    return lambda *inputs: session.run(None, dict(zip(names, map(Tensor.numpy, inputs), strict=True)))


def verify(generator: ExportedGenerator, graph: bytes, script: nn.Module, tolerance: Tolerance) -> dict[str, float]:
    """Compare the images of the graph and of TorchScript with PyTorch's, for batches of BATCHES.

    Returns the `largest` (within the tolerance's share of the pixels) and `mean` differences of the graph, maxima over
    the batches. Raises ExportError if they exceed the tolerance, or those of TorchScript exceed EXACT.
    """
    run = load_graph(graph)
    worst = {"largest": 0.0, "mean": 0.0}
    for count in BATCHES:
        inputs = generator.inputs(count, seed=count)
        expected = generator(*inputs)
        (images,) = run(*inputs)
        if images.dtype == np.uint8:
            images = images / np.float32(255)
        compare("TorchScript", script(*inputs).numpy(), expected, EXACT)
        found = compare("onnxruntime", images, expected, tolerance)
        worst = {name: max(value, found[name]) for name, value in worst.items()}
    return worst


def verify_encoder(encoder: ExportedEncoder, graph: bytes) -> float:
    """The largest difference of the graph's latents and label logits from PyTorch's, for batches of BATCHES.

    Raises ExportError if it exceeds ENCODED.
    """
    run, largest = load_graph(graph), 0.0
    for count in BATCHES:
        images = torch.rand(count, 28, 28, generator=torch.Generator().manual_seed(count))
        for values, expected in zip(run(images), encoder(images), strict=True):
            largest = max(largest, compare("encoder: onnxruntime", values, expected, ENCODED)["largest"])
    return largest


def compare(name: str, values: NDArray[Any], expected: Tensor, tolerance: Tolerance) -> dict[str, float]:
    """The largest and mean differences. Raises ExportError if they exceed the tolerance."""
    differences = np.abs(values - expected.numpy())
    found = {"largest": float(np.quantile(differences, tolerance.share)), "mean": float(differences.mean())}
    for kind, difference in found.items():
        if not difference <= (limit := getattr(tolerance, kind)):  # fails for NaN, too
            raise ExportError(f"{name} and PyTorch differ by {difference:.2e} ({kind}); expected at most {limit}")
    return found
