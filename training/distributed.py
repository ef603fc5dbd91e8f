"""One run in several processes: every process takes its rows of each batch, and all keep the same weights to the bit.

    torchrun --nproc-per-node 2 training/train.py --preset dcgan

Three rules make the same global batch give the same losses, within rounding, however many processes share it:

draw, then take    Random numbers are drawn for the global batch, from a random state that is the same everywhere, and
                   each process takes its rows: `World.take`; `synchronise` makes dropout do so.
gather, then lose  Every process computes the same losses from the scores of the global batch: `World.gather` and
                   `World.mean`. Each propagates them back through its own rows alone.
sum                The gradient is therefore the sum of the processes' gradients: `World.sum_gradients`.

A penalty takes gradients of scores before they are gathered. All processes run the same collective operations in the
same order, so that in training mode no process may run a network by itself.

PyTorch's DistributedDataParallel does none of this. It documents that it does not work with torch.autograd.grad, which
penalties need; it averages where the sum is meant; and it expects one forward and one backward, where a discriminator
has several forwards to a backward and gradients from two players.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from training.errors import TrainingError


@dataclass(frozen=True)
class World:
    """The processes of a run. `World()` is a run in one process: it communicates nothing and changes nothing."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and prints."""
        return self.rank == 0

    def take(self, batch: Tensor) -> Tensor:
        """This process's rows of a global batch: (N, ...) -> (N / size, ...), in the order of the ranks.

        Raises TrainingError where the processes cannot share the batch evenly.
        """
        rows, rest = divmod(len(batch), self.size)
        if rest:
            raise TrainingError(f"batch_size: expected a multiple of the {self.size} processes, got {len(batch)}")
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

    def tell(self, find: Callable[[], float]) -> float:
        """What the first process finds out, on every process; the others do not look."""
        found = [find() if self.is_first else None]
        if self.size > 1:
            dist.broadcast_object_list(found)
        return float(found[0])  # type: ignore[arg-type]  # the first process's by now

    def wait(self) -> None:
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


def synchronise(network: nn.Module, world: World) -> None:
    """Make batch norm measure, and dropout draw for, the global batch, in place; parameters and their names stay.

    For networks that every process built alike. In a world of one nothing changes.
    """
    if world.size == 1:
        return
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, BatchNorm):
                setattr(parent, name, GlobalBatchNorm(layer, world))
            elif isinstance(layer, nn.Dropout):
                setattr(parent, name, GlobalDropout(layer, world))


class GlobalBatchNorm(BatchNorm):
    """Batch norm over the rows of all processes, on any device, with gradients of any order, around a layer's tensors.

    torch.nn.SyncBatchNorm has kernels for CUDA alone, and no second derivative, which penalties need. Means and
    variances are combined as in T. Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances", 1979, for parts of one size.
    """

    def __init__(self, layer: BatchNorm, world: World) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self._parameters, self._buffers, self.training = layer._parameters, layer._buffers, layer.training
        self.world = world

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Any layer's output (N / size, C, ...) -> the same shape, dtype and memory format, normalised by channel."""
        if not self.training:
            return super().forward(input)
        dims = [dim for dim in range(input.ndim) if dim != 1]
        precise = input.to(torch.promote_types(input.dtype, torch.float32))
        own = torch.stack(torch.var_mean(precise, dims, correction=0))  # (2, C), of this process's rows
        parts = [torch.zeros_like(own) for _ in range(self.world.size)]
        parts[self.world.rank] = own
        variances, means = _Sum.apply(torch.stack(parts)).unbind(1)  # (size, C) each
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._track(mean.detach(), variance.detach(), self.world.size * input.numel() // input.shape[1])

        scale = torch.rsqrt(variance + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        shape = [1, -1] + [1] * (input.ndim - 2)
        return torch.addcmul(shift.view(shape), input, scale.view(shape)).to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        """Nothing: the layers around it fix the dimensions. What torch's forward calls, and its base class lacks."""

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics as torch does: with the unbiased variance of `count` values a channel."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class GlobalDropout(nn.Dropout):
    """Dropout that draws the masks of all processes' rows and applies this one's, as one process would."""

    def __init__(self, layer: nn.Dropout, world: World) -> None:
        super().__init__(layer.p)
        self.training = layer.training
        self.world = world

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """(N / size, ...) -> the same shape, with zeros here and there."""
        if not self.training:
            return input
        ones = input.new_ones(self.world.size * len(input), *input.shape[1:])
        return input * self.world.take(F.dropout(ones, self.p))


class _Sum(torch.autograd.Function):
    """The sum over all processes, and of the gradients that they return, which any of them may be the cause of."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)  # type: ignore[no-any-return]
