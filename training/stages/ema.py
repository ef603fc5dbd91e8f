"""The exponential moving average of a generator's weights, and batch norm's statistics measured for it.

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

BATCH_SIZE = 500  # of the latents that batch norm is measured on


def frozen_copy(generator: GeneratorNetwork) -> GeneratorNetwork:
    """A copy of the generator in evaluation mode and without gradients, such as `update_ema` updates."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(
    ema: GeneratorNetwork, generator: GeneratorNetwork, config: EMA, images_before: int, images: int
) -> None:
    """Move the average towards the generator, by as much as `images` more images weigh after `images_before`."""
    half_life = min(config.half_life, config.ramp * images_before)
    decay = 0.5 ** (images / half_life) if half_life > 0 else 0.0
    get_ema_multi_avg_fn(decay)(list(ema.parameters()), list(generator.parameters()), 0)
    for ours, theirs in zip(ema.buffers(), generator.buffers(), strict=True):
        ours.copy_(theirs)


def measure_batch_norm(generator: GeneratorNetwork, samples: int, seed: int) -> None:
    """Replace the running statistics by those of `samples` latents, always the same ones; not for 0.

    Leaves the generator in evaluation mode, and torch's global random state as it was.
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
