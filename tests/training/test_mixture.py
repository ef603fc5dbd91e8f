"""A mixture: who draws what, that rows keep their places, and what its members must agree on."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.networks.mixture import MixtureGenerator

OPTIONS = {"widths": (8,), "activation": "leaky-relu", "final": "sigmoid", "init": "he", "conditional": True}


def member(latent_dim: int = 4, final: str = "sigmoid") -> GeneratorNetwork:
    return build_generator("mlp", latent_dim, OPTIONS | {"final": final})


@pytest.fixture
def members() -> Sequence[GeneratorNetwork]:
    torch.manual_seed(2)
    return [member() for _ in range(3)]


def inputs(drawers: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Latents that name these members, and a class for each."""
    torch.manual_seed(3)
    choosers = torch.eye(3)[list(drawers)]
    return torch.cat([torch.randn(len(drawers), 4), choosers], dim=1), torch.eye(10)[torch.arange(len(drawers)) % 10]


@pytest.mark.parametrize("drawers", [[0, 1, 2, 1, 0, 2, 2], [1], [2, 2, 0]], ids=["all", "one digit", "two"])
def test_the_largest_of_the_last_latents_names_who_draws(
    members: Sequence[GeneratorNetwork], drawers: list[int]
) -> None:
    latents, classes = inputs(drawers)
    images = MixtureGenerator(members)(latents, classes)
    for row, drawer in enumerate(drawers):
        own = members[drawer](latents[row : row + 1, :4], classes[row : row + 1])
        assert torch.allclose(images[row], own[0], atol=1e-6)
    assert torch.allclose(
        MixtureGenerator(members)(0.3 * latents, classes)[0],
        members[drawers[0]](0.3 * latents[:1, :4], classes[:1])[0],
        atol=1e-6,
    )  # truncated, the same one draws


def test_only_who_draws_learns(members: Sequence[GeneratorNetwork]) -> None:
    mixture = MixtureGenerator(members)
    mixture(*inputs([0, 2])).sum().backward()
    drew = [any(value.grad is not None and bool(value.grad.any()) for value in part.parameters()) for part in members]
    assert drew == [True, False, True]


def test_a_preset_names_members_by_their_architecture() -> None:
    mixture = build_generator("mixture", 7, {"members": 3, "architecture": "mlp", **OPTIONS})
    assert [part.latent_dim for part in mixture.drawers()] == [4, 4, 4]
    assert (mixture.latent_dim, mixture.conditional, mixture.image_range) == (7, True, (0.0, 1.0))


@pytest.mark.parametrize("other", [member(latent_dim=5), member(final="tanh")], ids=["latents", "pixels"])
def test_members_must_take_and_give_the_same(other: GeneratorNetwork) -> None:
    with pytest.raises(ValueError, match="expected members with the same latents, classes and range of pixels"):
        MixtureGenerator([member(), other])
