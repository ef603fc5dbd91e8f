"""Sessions of onnxruntime when their process forks, and when it ends."""

import atexit
import ctypes
import os
import threading
import weakref
from contextlib import AbstractContextManager, nullcontext
from typing import Any

PATIENCE = 10.0  # seconds that an ending process waits for calls of daemon threads


def keep(session: Any) -> None:
    """Never free a session in a forked child.

    A child has none of the threads that a session's pool would join on its way out, and would wait for them for ever.
    So it keeps one reference too many.
    """
    _OPEN.add(session)


def calling() -> AbstractContextManager[object]:
    """What every call into onnxruntime runs in.

    A daemon thread that comes back from a call while the interpreter is torn down aborts the process: Python ends the
    thread by unwinding its stack, which C++ does not allow. So the end waits for the calls of daemon threads, and they
    begin no new ones. All other threads end before.
    """
    return _GATE if threading.current_thread().daemon else nullcontext()


def close_at_exit() -> None:
    """Wait for calls before anything that was registered so far runs; onnxruntime registers its own end."""
    atexit.unregister(_close)
    atexit.register(_close)


class _Gate:
    """Counts the calls of daemon threads; once it is closed, only the thread that closed it passes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0
        self._closed_by: int | None = None

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed_by in (None, threading.get_ident()))  # else for ever
            self._calls += 1

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let no more calls begin, and wait for those that run."""
        with self._changed:
            self._closed_by = threading.get_ident()
            self._changed.wait_for(lambda: not self._calls, PATIENCE)


_OPEN: "weakref.WeakSet[Any]" = weakref.WeakSet()
_GATE = _Gate()


def _close() -> None:
    _GATE.close()


def _after_fork() -> None:
    global _GATE
    _GATE = _Gate()  # the calls that it counted are the parent's
    for session in list(_OPEN):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
