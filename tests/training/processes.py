"""Training steps of a small GAN in one or, with torchrun, several processes: -m tests.training.processes OUT."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import Network
from training.networks import build_discriminator, build_generator
from training.run.device import choose, make_deterministic
from training.run.distributed import World, process_group

Record = dict[str, Tensor]
ROOT = Path(__file__).resolve().parents[2]
BATCH, LATENT_DIM = 16, 8

_LAYERS: dict[str, Any] = {"activation": "leaky-relu", "init": "he"}
GENERATOR = Network("mlp", _LAYERS | {"widths": [16, 32], "final": "sigmoid"})
DISCRIMINATOR = Network("mlp", _LAYERS | {"widths": [32, 16], "final": "none"})


def gan_steps(world: World, steps: int = 2) -> Record:
    """Losses, gradients and final state of steps with batch means, random targets and a penalty."""
    torch.manual_seed(3)
    generator, discriminator = build_generator(GENERATOR, LATENT_DIM), build_discriminator(DISCRIMINATOR)
    networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    record: Record = {}

    def descend(name: str, step: int, loss: Tensor) -> None:
        networks[name].zero_grad()
        loss.backward()
        world.sum_gradients(networks[name])
        for key, parameter in networks[name].named_parameters():
            assert parameter.grad is not None
            record[f"{step}.{name}.{key}.grad"] = parameter.grad
            parameter.data -= 0.01 * parameter.grad
        record[f"{step}.{name}.loss"] = loss.detach()

    for step in range(steps):
        real = world.shard(torch.rand(BATCH, 1, 28, 28) * 2 - 1)
        fake = generator(world.shard(torch.randn(BATCH, LATENT_DIM)))
        points = real.clone().requires_grad_()
        real_scores = discriminator(points)
        (slopes,) = torch.autograd.grad(real_scores.sum(), points, create_graph=True)
        penalty = world.mean(slopes.square().flatten(1).sum(1).mean())
        real_scores, fake_scores = world.gather(real_scores), world.gather(discriminator(fake.detach()))
        targets = torch.rand(BATCH)
        relative = F.softplus(fake_scores.mean() - real_scores) * targets + F.softplus(fake_scores - real_scores.mean())
        descend("discriminator", step, relative.mean() + penalty)
        record[f"{step}.penalty"] = penalty.detach()

        discriminator.requires_grad_(False)
        scores = world.gather(discriminator(fake))
        descend("generator", step, F.softplus(real_scores.detach().mean() - scores).square().mean())
        discriminator.requires_grad_(True)

    for name, network in networks.items():
        record |= {f"{name}.{key}": value.clone() for key, value in network.state_dict().items()}
    return record | {"random_state": torch.get_rng_state()}


def rows(world: World) -> Record:
    """The exact results of shard, gather, mean and broadcast."""
    batch = torch.arange(24.0).reshape(8, 3)
    mean = world.mean(world.shard(batch[:, 0]).square())
    broadcast = torch.tensor(world.broadcast(lambda: world.rank + 0.5))
    return {
        "gathered": world.gather(world.shard(batch)),
        "mean": mean,
        "of_means": world.mean(mean),
        "broadcast": broadcast,
    }


CASES: dict[str, Callable[[World], Record]] = {"steps of a GAN": gan_steps, "rows": rows}


def records(world: World) -> Record:
    """The records of all cases."""
    return {f"{name}: {key}": value for name, case in CASES.items() for key, value in case(world).items()}


if __name__ == "__main__":
    chosen = choose("cpu", threads=1)
    make_deterministic(chosen)
    out = Path(sys.argv[1])
    with process_group(chosen.device) as world:
        save_file(
            {name: value.contiguous() for name, value in records(world).items()}, out / f"{world.rank}.safetensors"
        )
        world.barrier()
        assert all((out / f"{rank}.safetensors").exists() for rank in range(world.size))
        if world.is_main:
            print(f"done by {world.size}")
