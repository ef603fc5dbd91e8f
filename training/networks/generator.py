"""The interface of all generators."""

import torch
from torch import Tensor, nn

CLASSES = 10
CLASS_SCALE = 2.0  # of class weights, so that one label has an effect next to dozens of normal latents


class GeneratorNetwork(nn.Module):
    """Maps latents (N, D) to images (N, 1, 28, 28) in `image_range`: a stack of layers and a final activation.

    A conditional generator also takes class weights (N, 10), whose rows sum to 1.
    """

    layers: nn.Sequential
    final: nn.Module
    image_range: tuple[float, float]  # pixel values of background and ink
    latent_dim: int
    conditional: bool = False


def concatenate_inputs(latents: Tensor, classes: Tensor | None) -> Tensor:
    """Concatenate latents (N, D) and scaled class weights (N, 10) to (N, D + 10). Without classes: the latents."""
    return latents if classes is None else torch.cat([latents, CLASS_SCALE * classes], dim=1)
