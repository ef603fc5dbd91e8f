"""What the discriminator sees of real and generated digits alike: now and then a digit moved by a few pixels.

A discriminator that sees every digit in many places cannot learn the training set by heart. Because only a share of the
digits move, moved and unmoved ones together tell the distribution that they came from, and a generator that matches
them matches it: the shifts' distribution has no zero in its Fourier transform while the share is at most a half.

Source: T. Karras et al., "Training Generative Adversarial Networks with Limited Data", 2020 (arXiv:2006.06676),
section 2.2 and appendix C (which augmentations do not leak into the generated images).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from training.distributed import World
from training.presets import Translation


def translated(images: Tensor, how: Translation | None, world: World) -> Tensor:
    """The images (N, 1, 28, 28), a random share of them moved by whole pixels, paper moving in; differentiable.

    Shifts are drawn from torch's global random state for the global batch.
    """
    if how is None:
        return images
    total = world.size * len(images)
    shifts = torch.randint(-how.pixels, how.pixels + 1, (total, 2), device=images.device)
    moving = torch.rand(total, 1, device=images.device) < how.share
    down, right = world.take(shifts * moving).unbind(1)
    height, width = images.shape[-2:]
    rows = how.pixels + torch.arange(height, device=images.device) - down[:, None]  # (N, H)
    columns = how.pixels + torch.arange(width, device=images.device) - right[:, None]  # (N, W)
    padded = F.pad(images, [how.pixels] * 4, mode="replicate")[:, 0]
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    return padded[batch, rows[:, :, None], columns[:, None, :]].unsqueeze(1)
