"""One run in several processes: every process takes its shard of each batch, and all keep the same weights to the bit.

    torchrun --nproc-per-node 2 training/train.py

Three rules make the same global batch give the same losses, within rounding, however many processes share it:

shard       Random numbers are drawn for the global batch, from a random state that is the same everywhere, and each
            process takes its rows: `World.shard`.
gather      Every process computes the same losses from the scores of the global batch: `World.gather` and `World.mean`.
            Each propagates them back through its own rows alone.
all-reduce  The gradient is therefore the sum of the processes' gradients: `World.sum_gradients`.

A penalty takes gradients of scores before they are gathered. All processes run the same collective operations in the
same order. Batch norm and dropout, which would have to see the global batch, are refused.

PyTorch's DistributedDataParallel does none of this. It documents that it does not work with torch.autograd.grad, which
penalties need; it averages where the sum is meant; and it expects one forward and one backward, where a discriminator
has several forwards to a backward and gradients of two losses.
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
    """The processes of a run. `World()` is a run in one process: it communicates nothing and changes nothing."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files and prints."""
        return self.rank == 0

    def check_batch(self, batch_size: int) -> int:
        """How many rows of a global batch are this process's. Raises TrainingError where that is not even."""
        rows, rest = divmod(batch_size, self.size)
        if rest:
            raise TrainingError(f"batch_size: expected a multiple of the {self.size} processes, got {batch_size}")
        return rows

    def shard(self, batch: Tensor) -> Tensor:
        """This process's rows of a global batch: (N, ...) -> (N / size, ...), in the order of the ranks.

        Raises TrainingError where the processes cannot share the batch evenly.
        """
        rows = self.check_batch(len(batch))
        return batch if self.size == 1 else batch[self.rank * rows : (self.rank + 1) * rows]

    def gather(self, rows: Tensor) -> Tensor:
        """The global batch on every process: (N / size, ...) -> (N, ...), differentiable by this process's rows.

        The gradient of a loss that all processes compute alike needs no communication: it is this process's part.
        """
        if self.size == 1:
            return rows
        own = rows.detach().contiguous()
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own)
        return torch.cat([*parts[: self.rank], rows, *parts[self.rank + 1 :]])

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the global batch of values (N / size,), or of their mean over this process's rows; a scalar.

        The same on every process; differentiable as `gather` is.
        """
        return self.gather(value.reshape(-1)).mean()

    def sum_gradients(self, network: nn.Module) -> None:
        """Add up the processes' gradients in place, all in one message; between backward() and the optimiser's step."""
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        if self.size == 1 or not gradients:
            return
        total = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(total)
        for gradient, part in zip(gradients, total.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, compute: Callable[[], float]) -> float:
        """A value that the main process computes, on every process; the others do not compute it."""
        values = [compute() if self.is_main else None]
        if self.size > 1:
            dist.broadcast_object_list(values)
        return float(values[0])  # type: ignore[arg-type]  # the main process's by now

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Within it, the main process goes before the others, which then find what it downloaded or cached."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    def barrier(self) -> None:
        """Return once all processes have come here: for files that one writes and others read."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """The world that torchrun's environment describes, joined until the context ends; without it, `World()`.

    CPU processes talk through Gloo, CUDA ones through NCCL; device "cuda" then means the GPU of the local rank. Raises
    TrainingError for an environment that is not whole, and for more processes than GPUs.
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
    """Refuse several processes for networks whose layers would have to see the global batch. Raises TrainingError."""
    if world.size > 1 and any(isinstance(layer, BatchNorm | nn.Dropout) for net in networks for layer in net.modules()):
        raise TrainingError(
            "batch norm and dropout: expected one process, as each sees its own rows; run without torchrun"
        )
