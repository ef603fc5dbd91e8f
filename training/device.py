"""The compute configuration: device, precision, memory format and threads. Chosen once per run and logged.

`benchmarks/training_step.py` compares the choices with their alternatives.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from mnistgen._runtime import usable_cpus
from training.errors import TrainingError

Precision = Literal["bfloat16", "float32"]
Module = TypeVar("Module", bound=nn.Module)
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Compute:
    """The device that networks run on, and how."""

    device: torch.device
    precision: Precision
    threads: int  # intra-op, CPU

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device.type == "cpu" else ""
        return f"{self.device.type}, {self.precision}, channels_last{threads}"

    def arithmetic(self) -> dict[str, Any]:
        """What decides, on the same machine, how results are rounded."""
        return {"precision": self.precision, "threads": self.threads}

    def autocast(self) -> AbstractContextManager[None]:
        """Run matrix products and convolutions in `precision`; weights and losses stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def place(self, network: Module) -> Module:
        """Move the network to the device, with convolution weights in channels_last format."""
        return network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


MAX_THREADS = 8  # with more, networks this small lose more to synchronisation than they gain


def choose(device: str = "auto", precision: Precision | None = None, threads: int | None = None) -> Compute:
    """Choose the device, and the precision and threads that suit it unless they are given.

    The default precision is bfloat16 if the hardware supports it natively (AVX-512 BF16, AMX, CUDA from Ampere on),
    else float32. The default number of threads is OMP_NUM_THREADS, else the number of usable CPUs, at most MAX_THREADS.
    Raises TrainingError for unknown devices and if CUDA is requested but not available.
    """
    if device not in DEVICES:
        raise TrainingError(f"device: expected one of {', '.join(DEVICES)}, got {device!r}")
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise TrainingError("device cuda: torch finds no CUDA device; check `nvidia-smi`, or use --device cpu")
    chosen = torch.device("cuda" if cuda and device != "cpu" else "cpu")
    return Compute(
        device=chosen,
        precision=precision or ("bfloat16" if _multiplies_bfloat16(chosen) else "float32"),
        threads=threads or _threads_from_environment() or min(usable_cpus(), MAX_THREADS),
    )


def make_deterministic(compute: Compute) -> None:
    """Make torch deterministic, process-wide: the same seed gives the same weights on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS at its first use
    torch.use_deterministic_algorithms(True)
    # The default, True, fills new tensors with NaN first, which takes up to a fifth of a step on two threads.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(compute.threads)


def _threads_from_environment() -> int:
    """OMP_NUM_THREADS, or 0 if it is not set to a number."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdigit() else 0


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
