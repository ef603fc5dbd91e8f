"""The exponential moving average (EMA) of a generator's weights, and batch-norm statistics for the averaged weights.

Sources: T. Karras et al., "Progressive Growing of GANs", 2018 (arXiv:1710.10196), section 5 (the average); T. Karras et
al., "Training Generative Adversarial Networks with Limited Data", 2020 (arXiv:2006.06676), appendix C (half-life in
images, and its ramp); P. Izmailov et al., "Averaging Weights", 2018 (arXiv:1803.05407), section 3.2 (batch norm).
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn

from training.config import EMA
from training.networks.generator import GeneratorNetwork

BATCH_SIZE = 500  # of the latents for batch-norm statistics


def frozen_copy(generator: GeneratorNetwork) -> GeneratorNetwork:
    """Copy the generator, in evaluation mode and without gradients, e.g. as the EMA copy."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(
    ema: GeneratorNetwork, generator: GeneratorNetwork, config: EMA, images_before: int, images: int
) -> None:
    """Update the EMA in place after a step on `images` images, which followed `images_before` earlier ones."""
    half_life = min(config.half_life, config.ramp * images_before)
    decay = 0.5 ** (images / half_life) if half_life > 0 else 0.0
    get_ema_multi_avg_fn(decay)(list(ema.parameters()), list(generator.parameters()), 0)
    for averaged, current in zip(ema.buffers(), generator.buffers(), strict=True):
        averaged.copy_(current)


def measure_batch_norm(generator: GeneratorNetwork, samples: int, seed: int) -> None:
    """Recompute the running statistics from `samples` latents, drawn with the seed. Keeps them if `samples` is 0.

    Sets the generator to evaluation mode. Does not change torch's global random state.
    """
    if samples:
        device = next(generator.parameters()).device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            update_bn(_latents(generator.latent_dim, samples, seed, device), generator)
    generator.eval()


def _latents(latent_dim: int, samples: int, seed: int, device: torch.device) -> Iterator[Tensor]:
    torch.manual_seed(seed)
    for _ in range(max(1, samples // BATCH_SIZE)):
        yield torch.randn(BATCH_SIZE, latent_dim).to(device)
