"""Data-parallel training: every process computes a shard of each batch, and all keep bitwise identical weights.

    torchrun --nproc-per-node 2 training/train.py

A global batch gives the same losses, up to rounding, for any number of processes:

shard       All processes draw the same random numbers for the global batch, and each takes its rows: `World.shard`.
gather      Every process computes the losses from the scores of the global batch: `World.gather` and `World.mean`.
            Each backpropagates through its own rows only.
all-reduce  The gradient is therefore the sum of the processes' gradients: `World.sum_gradients`.

Penalties take gradients of scores before gathering. All processes must run the same collective operations in the same
order. Batch norm and dropout are not supported, as they depend on the global batch.

DistributedDataParallel does not fit: it does not support torch.autograd.grad, which penalties need; it averages
gradients, where the sum is needed; and it expects one forward per backward, where a discriminator has several.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from training.errors import TrainingError


@dataclass(frozen=True)
class World:
    """The processes of a run. `World()` is a single process: all operations are then no-ops."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints and writes files."""
        return self.rank == 0

    def check_batch(self, batch_size: int) -> int:
        """The number of rows per process. Raises TrainingError if the batch cannot be divided evenly."""
        rows, rest = divmod(batch_size, self.size)
        if rest:
            raise TrainingError(f"batch_size: expected a multiple of the {self.size} processes, got {batch_size}")
        return rows

    def shard(self, batch: Tensor) -> Tensor:
        """This process's rows of a global batch, in rank order: (N, ...) -> (N / size, ...).

        Raises TrainingError if the batch cannot be divided evenly.
        """
        rows = self.check_batch(len(batch))
        return batch if self.size == 1 else batch[self.rank * rows : (self.rank + 1) * rows]

    def gather(self, rows: Tensor) -> Tensor:
        """The global batch on every process: (N / size, ...) -> (N, ...). Differentiable for this process's rows.

        All processes compute the same loss from it, so the backward pass needs no communication.
        """
        if self.size == 1:
            return rows
        own = rows.detach().contiguous()
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own)
        return torch.cat([*parts[: self.rank], rows, *parts[self.rank + 1 :]])

    def mean(self, value: Tensor) -> Tensor:
        """The mean over all processes of values (N / size,) or local means; a scalar, differentiable like `gather`."""
        return self.gather(value.reshape(-1)).mean()

    def sum_gradients(self, network: nn.Module) -> None:
        """All-reduce the gradients in place, in one message. Call it between backward() and the optimiser step."""
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        if self.size == 1 or not gradients:
            return
        total = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(total)
        for gradient, part in zip(gradients, total.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, compute: Callable[[], float]) -> float:
        """Compute a value in the main process and return it on every process."""
        values = [compute() if self.is_main else None]
        if self.size > 1:
            dist.broadcast_object_list(values)
        return float(values[0])  # type: ignore[arg-type]  # no longer None

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Run the body in the main process first, so that the others find what it downloaded or cached."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    def barrier(self) -> None:
        """Wait for all processes, e.g. until the main process has written a file."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def process_group(device: torch.device) -> Iterator[World]:
    """Join the process group that torchrun's environment variables describe; without them, `World()`.

    Uses Gloo on the CPU and NCCL on CUDA, where "cuda" then means the GPU of the local rank. Raises TrainingError for
    incomplete environment variables and for more local processes than GPUs.
    """
    size = _from_environment("WORLD_SIZE") if "WORLD_SIZE" in os.environ else 1
    if size == 1:
        yield World()
        return
    rank, local_rank = _from_environment("RANK"), _from_environment("LOCAL_RANK")
    if not 0 <= rank < size:
        raise TrainingError(f"RANK: expected 0 to {size - 1}, as WORLD_SIZE is {size}, got {rank}")
    if device.type == "cuda":
        if local_rank >= (gpus := torch.cuda.device_count()):
            raise TrainingError(f"device cuda: expected a GPU for each process, got {gpus} for local rank {local_rank}")
        torch.cuda.set_device(local_rank)
        dist.init_process_group("nccl", rank=rank, world_size=size, device_id=torch.device("cuda", local_rank))
    else:
        dist.init_process_group("gloo", rank=rank, world_size=size)
    try:
        yield World(rank, size)
    finally:
        dist.destroy_process_group()


def _from_environment(name: str) -> int:
    text = os.environ.get(name, "")
    if not text.isdigit():
        raise TrainingError(f"{name}: expected a number from torchrun in the environment, got {text!r}")
    return int(text)


def check_networks(networks: Iterable[nn.Module], world: World) -> None:
    """Raises TrainingError for networks with batch norm or dropout in more than one process."""
    if world.size > 1 and any(isinstance(layer, BatchNorm | nn.Dropout) for net in networks for layer in net.modules()):
        raise TrainingError("batch norm and dropout: expected one process, got several; run without torchrun")
