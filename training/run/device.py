"""How a device is used: precision, memory format and threads, chosen once and said in the log.

`benchmarks/training_step.py` measures the choices against their alternatives.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import nn

from mnistgen._devices import usable_cpus
from training.errors import TrainingError

Precision = Literal["bfloat16", "float32"]
Network = TypeVar("Network", bound=nn.Module)
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Compute:
    """Where and how networks run."""

    device: torch.device
    precision: Precision
    threads: int  # intra-op, CPU

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device.type == "cpu" else ""
        return f"{self.device.type}, {self.precision}, channels_last{threads}"

    def autocast(self) -> AbstractContextManager[None]:
        """Matrix products and convolutions in `precision`; weights and losses stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def place(self, network: Network) -> Network:
        """The network on the device, its convolutions' weights with channels last."""
        return network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


MOST_THREADS = 8  # past which the products of networks this small wait for threads more than they gain


def choose(device: str = "auto", precision: Precision | None = None, threads: int | None = None) -> Compute:
    """The device, and what suits it unless the caller sets it.

    bfloat16 where the hardware multiplies it (AVX-512 BF16, AMX, CUDA from Ampere on); as many CPU threads as there are
    usable CPUs, at most MOST_THREADS, unless OMP_NUM_THREADS sets another number. Raises TrainingError for CUDA where
    there is none.
    """
    if device not in DEVICES:
        raise TrainingError(f"device: expected one of {', '.join(DEVICES)}, got {device!r}")
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise TrainingError("device cuda: torch sees no CUDA device; check `nvidia-smi`, or use --device cpu")
    chosen = torch.device("cuda" if cuda and device != "cpu" else "cpu")
    return Compute(
        device=chosen,
        precision=precision or ("bfloat16" if _multiplies_bfloat16(chosen) else "float32"),
        threads=threads or _threads_from_environment() or min(usable_cpus(), MOST_THREADS),
    )


def make_deterministic(compute: Compute) -> None:
    """Process-wide, for training scripts: the same seed gives the same weights on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS at its first use
    torch.use_deterministic_algorithms(True)
    # Otherwise torch writes NaN into every tensor before its values: up to a fifth of a step's time on two threads.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(compute.threads)


def _threads_from_environment() -> int:
    """OMP_NUM_THREADS, or 0 where it is not set to a number."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdigit() else 0


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
