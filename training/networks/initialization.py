"""INITIALIZATIONS: weight initialisation of a stack of layers, by name.

With PyTorch's default, the variance of the signal shrinks from layer to layer of an MLP. A generator then starts with
nearly the same image for all latents, and rarely recovers without smoothed targets. He initialisation preserves the
variance. A discriminator with small initial weights gives the generator time to learn.
"""

from collections.abc import Callable

from torch import nn

LINEAR_MAPS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def default(layers: nn.Sequential) -> None:
    """PyTorch's default: uniform within 1 / sqrt(inputs)."""


def he(layers: nn.Sequential) -> None:
    """Hidden layers normal with variance about 2 / inputs, biases 0; the last layer keeps PyTorch's default.

    Source: K. He et al., "Delving Deep into Rectifiers", 2015 (arXiv:1502.01852), section 2.2.
    """
    hidden = [layer for layer in layers if isinstance(layer, LINEAR_MAPS)][:-1]
    for layer in hidden:
        nn.init.kaiming_normal_(layer.weight, a=0.2)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def dcgan(layers: nn.Sequential) -> None:
    """Weights normal(0, 0.02), batch-norm scales normal(1, 0.02), biases 0.

    Source: A. Radford et al., 2016 (arXiv:1511.06434), section 4.
    """
    for layer in layers:
        if isinstance(layer, LINEAR_MAPS):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)


INITIALIZATIONS: dict[str, Callable[[nn.Sequential], None]] = {"default": default, "he": he, "dcgan": dcgan}
