"""The generator that a run gives away: an average of its weights over the recent past, batch norm measured anew.

Sources: T. Karras et al., "Progressive Growing of GANs", 2018 (arXiv:1710.10196), section 5 (the average); T. Karras et
al., "Training Generative Adversarial Networks with Limited Data", 2020 (arXiv:2006.06676), appendix C (half-life in
images, and its ramp); P. Izmailov et al., "Averaging Weights", 2018 (arXiv:1803.05407), section 3.2 (batch norm).
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn, update_bn

from training.config import Averaging, Preset
from training.networks.generator import GeneratorNetwork

BATCH_SIZE = 500  # of the latents that batch norm is measured on


def start_average(generator: GeneratorNetwork) -> GeneratorNetwork:
    """A copy of the generator, in evaluation mode and without gradients, for `update_average` to keep."""
    return copy.deepcopy(generator).eval().requires_grad_(False)


@torch.no_grad()
def update_average(
    average: GeneratorNetwork, generator: GeneratorNetwork, how: Averaging, images_before: int, images: int
) -> None:
    """Draw the average towards the generator, by as much as `images` more real images weigh after `images_before`."""
    half_life = min(how.half_life, how.ramp * images_before)
    decay = 0.5 ** (images / half_life) if half_life > 0 else 0.0
    get_ema_multi_avg_fn(decay)(list(average.parameters()), list(generator.parameters()), 0)
    for ours, theirs in zip(average.buffers(), generator.buffers(), strict=True):
        ours.copy_(theirs)


def measure_batch_norm(generator: GeneratorNetwork, preset: Preset) -> None:
    """Replace the running statistics by those of `preset.batch_norm_samples` fresh latents, always the same ones.

    Leaves torch's global random state as it was.
    """
    if not preset.batch_norm_samples:
        return
    device = next(generator.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        update_bn(_latents(preset, device), generator)
    generator.eval()


def _latents(preset: Preset, device: torch.device) -> Iterator[Tensor]:
    torch.manual_seed(preset.seed)
    for _ in range(max(1, preset.batch_norm_samples // BATCH_SIZE)):
        yield torch.randn(BATCH_SIZE, preset.latent_dim).to(device)
