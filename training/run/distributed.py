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

    def share(self, batch_size: int) -> int:
        """How many rows of a global batch are this process's. Raises TrainingError where that is not even."""
        rows, rest = divmod(batch_size, self.size)
        if rest:
            raise TrainingError(f"batch_size: expected a multiple of the {self.size} processes, got {batch_size}")
        return rows

    def take(self, batch: Tensor) -> Tensor:
        """This process's rows of a global batch: (N, ...) -> (N / size, ...), in the order of the ranks.

        Raises TrainingError where the processes cannot share the batch evenly.
        """
        rows = self.share(len(batch))
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

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """What the first process does before the others: for what it downloads or caches, and they find there."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

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
    """Batch norm over the rows of all processes, on any device, with gradients of any order; in place of `layer`.

    torch.nn.SyncBatchNorm has kernels for CUDA alone, and no second derivative, which penalties need. Means and
    variances combine as in T. Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
    1979, for parts of one size: the variance is the mean of the parts' variances plus the variance of their means.
    """

    def __init__(self, layer: BatchNorm, world: World) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self._parameters, self._buffers, self.training = layer._parameters, layer._buffers, layer.training
        self.world = world

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """(N / size, C, ...) -> the same shape, dtype and memory format, normalised by channel."""
        if not self.training:
            return super().forward(input)
        own = torch.stack(_Moments.apply(input))  # (2, C)
        parts = [torch.zeros_like(own) for _ in range(self.world.size)]
        parts[self.world.rank] = own
        means, variances = _Sum.apply(torch.stack(parts)).unbind(1)  # (size, C) each
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._track(mean.detach(), variance.detach(), self.world.size * input.numel() // input.shape[1])
        scale = torch.rsqrt(variance + self.eps) * (1 if self.weight is None else self.weight)
        return _affine(input, scale, (0 if self.bias is None else self.bias) - mean * scale)

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


class _Moments(torch.autograd.Function):
    """Mean and variance, (C,) each, of (N, C, ...) by batch norm's own kernel.

    On CPU torch.var_mean takes several times as long as all of batch norm.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> tuple[Tensor, Tensor]:  # noqa: A002
        precise = torch.promote_types(input.dtype, torch.float32)
        unused = input.new_zeros(2, input.shape[1], dtype=precise)  # running statistics, which set the precision
        mean, variance = torch.batch_norm_update_stats(input, unused[0], unused[1], 0.0)
        ctx.save_for_backward(input, mean)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, mean_gradient: Tensor, variance_gradient: Tensor) -> Tensor:
        input, mean = ctx.saved_tensors  # noqa: A001
        count = input.numel() // input.shape[1]
        scale = variance_gradient * (2 / count)
        return _affine(input, scale, mean_gradient / count - mean * scale)


def _affine(input: Tensor, scale: Tensor, shift: Tensor) -> Tensor:  # noqa: A002
    """(N, C, ...) times `scale` (C,) plus `shift` (C,), in the input's dtype, by the kernel of batch norm's eval()."""
    return F.batch_norm(input, torch.zeros_like(scale), torch.ones_like(scale), scale, shift, eps=0.0)


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
