"""What the discriminator sees: digits moved by whole pixels, their gradients with them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.augmentation import translated
from training.distributed import World
from training.presets import Translation


@given(pixels=st.integers(1, 4), share=st.floats(0, 0.5), seed=st.integers(0, 999))
def test_a_point_moves_at_most_so_far(pixels: int, share: float, seed: int) -> None:
    torch.manual_seed(seed)
    images = torch.zeros(40, 1, 28, 28)
    images[:, :, 14, 9] = 1
    moved = translated(images, Translation(pixels=pixels, share=share), World())
    assert moved.shape == images.shape
    assert moved.sum() == 40
    places = moved.flatten(1).argmax(1)
    down, right = places // 28 - 14, places % 28 - 9
    assert int(torch.stack([down, right]).abs().max()) <= pixels


def test_the_share_moves_and_all_places_come() -> None:
    torch.manual_seed(0)
    images = torch.zeros(9000, 1, 28, 28)
    images[:, :, 14, 14] = 1
    places = translated(images, Translation(pixels=1, share=0.45), World()).flatten(1).argmax(1)
    shares = torch.bincount(places, minlength=784) / 9000
    around = [shares[28 * (14 + down) + 14 + right] for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert around.pop(4) == pytest.approx(0.55 + 0.05, abs=0.02)
    assert all(share == pytest.approx(0.05, abs=0.01) for share in around)


def test_gradients_come_back_to_the_pixels_that_were_seen() -> None:
    torch.manual_seed(1)
    images = torch.rand(6, 1, 28, 28, requires_grad=True)
    weights = torch.rand(6, 1, 28, 28)
    how = Translation(pixels=2, share=0.5)
    torch.manual_seed(2)
    moved = translated(images, how, World())
    (moved * weights).sum().backward()
    torch.manual_seed(2)
    shifted = translated(images.detach() + 0.5, how, World())
    assert images.grad is not None
    change = (shifted * weights).sum() - (moved.detach() * weights).sum()
    assert float(change) == pytest.approx(0.5 * float(images.grad.sum()), rel=1e-4)


def test_processes_share_the_shifts_of_one() -> None:
    images, how = torch.rand(8, 1, 28, 28), Translation(pixels=2, share=0.5)
    torch.manual_seed(3)
    whole = translated(images, how, World())
    parts = []
    for rank in range(2):
        torch.manual_seed(3)
        world = World(rank, 2)
        parts.append(translated(world.take(images), how, world))
    assert torch.equal(torch.cat(parts), whole)


def test_without_it_nothing_is_drawn() -> None:
    images, state = torch.rand(2, 1, 28, 28), torch.get_rng_state()
    assert translated(images, None, World()) is images
    assert torch.equal(torch.get_rng_state(), state)
