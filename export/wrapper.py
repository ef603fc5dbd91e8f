"""One signature and one range for every network: what the contract of a model directory asks for."""

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from training.networks.generator import GeneratorNetwork
from training.networks.inputs import Inputs, every_digit, fixed_inputs


class ExportedGenerator(nn.Module):
    """A generator behind the contract's signature, batch norm folded, weights rounded to what float16 can hold.

    The arithmetic stays float32; rounding first makes PyTorch, TorchScript and ONNX hold the very same numbers.
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
        """D."""
        return self.network.latent_dim

    @property
    def conditional(self) -> bool:
        """Whether it takes classes beside latents."""
        return self.network.conditional

    def inputs(self, count: int, seed: int = 0) -> Inputs:
        """Latents (count, D), and for a conditional generator classes (count, 10), 0 to 9 cyclically."""
        return fixed_inputs(self.network, seed, every_digit(count))

    def forward(self, latents: Tensor, *classes: Tensor) -> Tensor:
        """Latents float32 (N, D), classes (N, 10) where conditional -> images float32 (N, 28, 28), 0 to 1, ink 1."""
        pixels = self.network(latents, *classes)  # -> (N, 1, 28, 28)
        images: Tensor = (pixels - self.low) / (self.high - self.low)
        # Engines' tanh may step an ulp past 1.
        return images.reshape(-1, 28, 28).clamp(0, 1)


def fold_batch_norm(layers: nn.Sequential) -> nn.Sequential:
    """The layers with every batch norm, in evaluation mode, folded into the linear map before it."""
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


def count_multiply_adds(generator: ExportedGenerator) -> int:
    """Multiply-adds for one image, from PyTorch's own counter of floating-point operations (two a multiply-add)."""
    with FlopCounterMode(display=False) as counter:
        generator(*generator.inputs(1))
    return int(counter.get_total_flops()) // 2
