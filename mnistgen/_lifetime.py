"""Lifetime of onnxruntime sessions: across forks and at interpreter exit."""

import atexit
import ctypes
import os
import threading
import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import Any

EXIT_TIMEOUT = 10.0  # seconds to wait at exit for calls of daemon threads


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


def close_at_exit() -> None:
    """Wait for calls at exit, before the handlers registered so far, among them onnxruntime's own."""
    atexit.unregister(_close)
    atexit.register(_close)


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
