"""What the rest of the project asks of any generator."""

from torch import nn


class GeneratorNetwork(nn.Module):
    """Latents (N, D) to images (N, 1, 28, 28) in `image_range`: a stack of layers and one last activation."""

    layers: nn.Sequential
    final: nn.Module
    image_range: tuple[float, float]  # paper, ink
