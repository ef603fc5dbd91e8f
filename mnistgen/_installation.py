"""Which onnxruntime package is installed, and how to fix the installation."""

import os
import sys

CONFLICT = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files"
KEEP_ONE = (
    "Keep one: pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime (or onnxruntime-gpu for CUDA)"
)


def installation_conflict() -> str | None:
    """The conflict and its fix if onnxruntime and onnxruntime-gpu are both installed, else None."""
    # List the folders first: importing importlib.metadata takes longer than loading a model.
    if not any(name.startswith("onnxruntime_gpu-") for folder in sys.path for name in _names(folder)):
        return None
    both = version("onnxruntime") and version("onnxruntime-gpu")
    return f"{CONFLICT}. {KEEP_ONE}" if both else None


def import_fix() -> str:
    """The fix if onnxruntime cannot be imported."""
    return installation_conflict() or "Install it: pip install --force-reinstall onnxruntime"


def cuda_fix() -> str:
    """The fix if onnxruntime does not run on CUDA."""
    if conflict := installation_conflict():
        return conflict
    if version("onnxruntime-gpu"):
        return 'Check `nvidia-smi`, then: pip install "onnxruntime-gpu[cuda,cudnn]"; or use device="cpu"'
    return 'Run: pip uninstall -y onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]"; or use device="cpu"'


def version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")  # noqa: PTH208 - faster than pathlib
    except (OSError, ValueError):  # ValueError: a name with a NUL character
        return []
