"""onnxruntime, imported without telemetry: which package is installed, and the lifetime of its sessions and threads.

Importing onnxruntime starts its telemetry, also on Linux, unless ORT_DISABLE_TELEMETRY is set. This module sets it
before the import, unless the user has set it.
"""

import atexit
import ctypes
import importlib
import os
import sys
import threading
import warnings
import weakref
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from mnistgen._errors import DeviceError

TELEMETRY = "ORT_DISABLE_TELEMETRY"
EXIT_TIMEOUT = 10.0  # seconds to wait at exit for calls of daemon threads

CONFLICT = (
    "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files. Keep one: "
    "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime (or onnxruntime-gpu for CUDA)"
)
CUDA_FIX = (
    "Check `nvidia-smi`, then: pip uninstall -y onnxruntime onnxruntime-gpu && "
    'pip install "onnxruntime-gpu[cuda,cudnn]"; or use device="cpu"'
)


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime with telemetry disabled. Raises DeviceError with a fix; warns of conflicting packages."""
    os.environ.setdefault(TELEMETRY, "1")
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ImportError as error:
        fix = conflict() or "Install it: pip install --force-reinstall onnxruntime"
        raise DeviceError(f"onnxruntime cannot be imported ({error}). {fix}") from None
    atexit.unregister(_close)
    atexit.register(_close)  # before the handlers registered so far, among them onnxruntime's own
    if found := conflict():
        warnings.warn(found, RuntimeWarning, stacklevel=4)
    return onnxruntime


def conflict() -> str | None:
    """The conflict and its fix if onnxruntime and onnxruntime-gpu are both installed, else None."""
    installed: set[str] = set()
    for folder in map(Path, sys.path):  # importing importlib.metadata takes longer than loading a model
        with suppress(OSError):
            installed |= {info.name.partition("-")[0] for info in folder.glob("onnxruntime*.dist-info")}
    return CONFLICT if {"onnxruntime", "onnxruntime_gpu"} <= installed else None


def usable_cpus(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """CPUs allowed by affinity and by the quota of a container's control group, at least 1.

    `os.cpu_count()` reports all CPUs of the host, even in a container that is limited to one or two. A quota of 1.5
    CPUs counts as 1.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no control groups, or no quota: "max"
        limit, period = map(int, quota.read_text().split())
        cpus = min(cpus, limit // period)
    return max(1, cpus)


def leak_after_fork(session: Any) -> None:
    """Never free a session in a forked child.

    Freeing it would join the threads of its pool. These do not exist in a child, so it would wait forever. Instead, the
    child takes an extra reference and leaks the session.
    """
    _OPEN.add(session)


def native_call() -> AbstractContextManager[object]:
    """Context manager around every call into onnxruntime.

    A daemon thread that returns from a call during interpreter shutdown aborts the process: Python ends the thread by
    unwinding its stack, which C++ does not allow. So shutdown waits for calls of daemon threads and blocks new ones.
    Other threads have ended by then.
    """
    return _GATE if threading.current_thread().daemon else nullcontext()


class _Gate:
    """Counts running calls of daemon threads. Once closed, it blocks all threads except the one that closed it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0
        self._closed_by: int | None = None

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed_by in (None, threading.get_ident()))
            self._calls += 1

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Block new calls and wait for running ones."""
        with self._changed:
            self._closed_by = threading.get_ident()
            self._changed.wait_for(lambda: not self._calls, EXIT_TIMEOUT)


_OPEN: "weakref.WeakSet[Any]" = weakref.WeakSet()
_GATE = _Gate()


def _close() -> None:
    _GATE.close()


def _after_fork() -> None:
    global _GATE
    _GATE = _Gate()  # calls counted so far run in the parent only
    for session in list(_OPEN):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
