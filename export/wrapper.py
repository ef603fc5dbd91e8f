"""A wrapper that gives all generators the signature and pixel range of exported models."""

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from training.networks.generator import GeneratorNetwork
from training.networks.inputs import Inputs, cyclic_labels, fixed_inputs


class ExportedGenerator(nn.Module):
    """A generator for export: with batch norm folded and weights rounded to float16 precision.

    The computation stays in float32. Rounding here makes the weights identical in PyTorch, TorchScript and ONNX.
    Modifies the generator in place.
    """

    def __init__(self, generator: GeneratorNetwork) -> None:
        super().__init__()
        self.low, self.high = generator.image_range
        self.trained_parameters = sum(parameter.numel() for parameter in generator.parameters())
        self.network = generator.eval()
        self.network.layers = fold_batch_norm(self.network.layers)
        for parameter in self.network.parameters():
            parameter.requires_grad_(False).copy_(parameter.half().float())
        self.eval()

    @property
    def latent_dim(self) -> int:
        """The size of the latents, D."""
        return self.network.latent_dim

    @property
    def conditional(self) -> bool:
        """Whether the generator takes class weights in addition to latents."""
        return self.network.conditional

    def inputs(self, count: int, seed: int = 0) -> Inputs:
        """Random latents (count, D) and, for a conditional generator, cyclic classes (count, 10)."""
        return fixed_inputs(self.network, seed, cyclic_labels(count))

    def forward(self, latents: Tensor, *classes: Tensor) -> Tensor:
        """Latents (N, D) and, if conditional, classes (N, 10) -> images (N, 28, 28) in [0, 1], ink 1. All float32."""
        pixels = self.network(latents, *classes)  # -> (N, 1, 28, 28)
        images: Tensor = (pixels - self.low) / (self.high - self.low)
        # Some implementations of tanh exceed 1 by one ulp.
        return images.reshape(-1, 28, 28).clamp(0, 1)


def fold_batch_norm(layers: nn.Sequential) -> nn.Sequential:
    """Fold each batch norm, in evaluation mode, into the layer before it, and remove dropout."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm1d) and isinstance(folded[-1], nn.Linear):
            folded[-1] = fuse_linear_bn_eval(folded[-1], layer)
        elif isinstance(layer, nn.BatchNorm2d) and isinstance(folded[-1], nn.Conv2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer)
        elif isinstance(layer, nn.BatchNorm2d) and isinstance(folded[-1], nn.ConvTranspose2d):
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer, transpose=True)
        elif not isinstance(layer, nn.Dropout):
            folded.append(layer)
    return nn.Sequential(*folded)


def multiply_adds(network: nn.Module, *inputs: Tensor) -> int:
    """Multiply-adds of a network, by PyTorch's counter of floating-point operations (two per multiply-add)."""
    with FlopCounterMode(display=False) as counter:
        network(*inputs)
    return int(counter.get_total_flops()) // 2
