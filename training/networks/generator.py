"""What the rest of the project asks of any generator, and how classes come in."""

import torch
from torch import Tensor, nn

CLASSES = 10
CLASS_SCALE = 2.0  # of class weights beside latents: a one-hot label alone would fade among dozens of normal numbers


class GeneratorNetwork(nn.Module):
    """Latents (N, D) to images (N, 1, 28, 28) in `image_range`: a stack of layers and one last activation.

    A conditional one also takes class weights (N, 10), whose rows sum to 1.
    """

    layers: nn.Sequential
    final: nn.Module
    image_range: tuple[float, float]  # paper, ink
    latent_dim: int
    conditional: bool = False


def joined(latents: Tensor, classes: Tensor | None) -> Tensor:
    """What the first layer sees: latents (N, D), or with classes (N, 10) both side by side, (N, D + 10)."""
    return latents if classes is None else torch.cat([latents, CLASS_SCALE * classes], dim=1)
