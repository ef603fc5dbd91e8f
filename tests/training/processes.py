"""Steps of a small GAN, in one process or, through torchrun, in several: -m tests.training.processes OUT."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from training import compute
from training.networks import build_discriminator, build_generator
from training.run.distributed import World, joined, synchronise

Record = dict[str, Tensor]
ROOT = Path(__file__).resolve().parents[2]
BATCH, LATENT_DIM = 16, 8

# Two players each, as presets describe them.
_LAYERS: dict[str, Any] = {"activation": "leaky-relu", "init": "he"}
_CONV = {
    "generator": {"layers": ((16, 7, 1, 0), (8, 4, 2, 1), (1, 4, 2, 1)), "bias": False, "final": "tanh"},
    "discriminator": {"layers": ((8, 4, 2, 1), (16, 4, 2, 1), (1, 7, 1, 0)), "bias": False, "final": "none"},
}
_MLP = {
    "generator": {"widths": (16, 32), "batch_norm": False, "final": "sigmoid"},
    "discriminator": {"widths": (32, 16), "dropout": 0.0, "final": "none"},
}
_MLP_ALL = {
    "generator": _MLP["generator"] | {"batch_norm": True, "dropout": 0.3},
    "discriminator": _MLP["discriminator"] | {"dropout": 0.5},
}


def gan_steps(world: World, architecture: str, options: dict[str, Any], steps: int = 2) -> Record:
    """Losses, gradients and what remains, of steps whose losses have batch means, random targets and a penalty."""
    torch.manual_seed(3)
    generator = build_generator(architecture, LATENT_DIM, _LAYERS | options["generator"])
    discriminator = build_discriminator(architecture, _LAYERS | options["discriminator"])
    networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    for network in networks.values():
        synchronise(network, world)
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
        real = world.take(torch.rand(BATCH, 1, 28, 28) * 2 - 1)
        fake = generator(world.take(torch.randn(BATCH, LATENT_DIM)))
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


def normalise(world: World, shape: tuple[int, ...], dtype: torch.dtype, momentum: float | None = 0.1) -> Record:
    """Outputs, first and second gradients and statistics of batch norm, far from zero, where squares would cancel."""
    torch.manual_seed(4)
    layer = (nn.BatchNorm1d if len(shape) < 4 else nn.BatchNorm2d)(shape[1], momentum=momentum)
    nn.init.normal_(layer.weight)
    network = nn.Sequential(layer if dtype == torch.bfloat16 else layer.double())
    synchronise(network, world)
    batch = (torch.randn(shape, dtype=torch.float64) + (1000 if dtype == torch.float64 else 0)).to(dtype)
    weights = torch.randn(shape, dtype=torch.float64)
    if len(shape) == 4:
        batch = batch.to(memory_format=torch.channels_last)
    record: Record = {}
    for _ in range(2):
        rows = world.take(batch).requires_grad_()
        outputs = network(rows)
        (slopes,) = torch.autograd.grad((outputs.sin() * world.take(weights)).sum(), rows, create_graph=True)
        loss = world.mean(slopes.square().flatten(1).sum(1))
        network.zero_grad()
        (bends,) = torch.autograd.grad(loss, rows, retain_graph=True)
        loss.backward()
        world.sum_gradients(network)
        record = {"outputs": outputs, "slopes": slopes, "bends": bends}
        record = {name: world.gather(value.detach()) for name, value in record.items()}
    assert outputs.dtype == dtype
    assert len(shape) < 4 or outputs.is_contiguous(memory_format=torch.channels_last)
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None
        record[f"{key}.grad"] = parameter.grad
    record |= network.state_dict()
    network.eval()
    return record | {"evaluated": world.gather(network(world.take(batch)).detach())}


def rows(world: World) -> Record:
    """What take, gather, mean and tell give, to the bit."""
    batch = torch.arange(24.0).reshape(8, 3)
    mean = world.mean(world.take(batch[:, 0]).square())
    told = torch.tensor(world.tell(lambda: world.rank + 0.5))
    return {"gathered": world.gather(world.take(batch)), "mean": mean, "of_means": world.mean(mean), "told": told}


CASES: dict[str, Callable[[World], Record]] = {
    "conv with batch norm": partial(gan_steps, architecture="conv", options=_CONV),
    "mlp": partial(gan_steps, architecture="mlp", options=_MLP),
    "mlp with batch norm and dropout": partial(gan_steps, architecture="mlp", options=_MLP_ALL),
    "batch norm of rows": partial(normalise, shape=(8, 5), dtype=torch.float64),
    "batch norm, cumulative": partial(normalise, shape=(8, 5, 3), dtype=torch.float64, momentum=None),
    "batch norm of images": partial(normalise, shape=(4, 5, 3, 2), dtype=torch.float64),
    "batch norm in bfloat16": partial(normalise, shape=(64, 5), dtype=torch.bfloat16),
    "rows": rows,
}


def records(world: World) -> Record:
    """All cases' records in one."""
    return {f"{name}: {key}": value for name, case in CASES.items() for key, value in case(world).items()}


if __name__ == "__main__":
    chosen = compute.choose("cpu", threads=1)
    compute.make_deterministic(chosen)
    out = Path(sys.argv[1])
    with joined(chosen.device) as world:
        save_file(
            {name: value.contiguous() for name, value in records(world).items()}, out / f"{world.rank}.safetensors"
        )
        world.wait()
        assert all((out / f"{rank}.safetensors").exists() for rank in range(world.size))
        if world.is_first:
            print(f"done by {world.size}")
