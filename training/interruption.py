"""Termination signals as one exception: Ctrl-C, SIGTERM and SIGHUP (the terminal was closed)."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP

_received: list[int] = []


class Interrupted(BaseException):
    """A termination signal arrived. Not an Exception, so that only the entry point catches it."""


def handle_signals() -> None:
    """Raise Interrupted in the main thread for the first of SIGNALS; a second one ends the process immediately.

    Ignored signals stay ignored, as `nohup` and background jobs need.
    """
    sys.unraisablehook = _reraise
    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def exit_code() -> int:
    """128 plus the number of the received signal, or 0. After a signal, interrupted code may raise any exception."""
    return 128 + _received[0] if _received else 0


@contextmanager
def signals_kept_back() -> Iterator[None]:
    """Start processes in this context with SIGINT and SIGHUP blocked; the caller is responsible for ending them.

    Both signals are sent to the whole process group, and would make a starting process print a traceback. Signals to
    this process are handled at the end of the block, because a half-started process prints a traceback too.
    """
    if sys.platform == "win32":  # which has no signal masks
        yield
        return
    from multiprocessing import resource_tracker  # imported here because it is slow

    with _deferred():  # the mask is per thread: another thread may still receive a signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            resource_tracker.ensure_running()  # starting it unblocks SIGINT
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _deferred() -> Iterator[None]:
    """Defer Python's signal handlers, which run in the main thread only, to the end of the block."""
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _numbers()}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for arrived in received:
            signal.raise_signal(arrived)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    for other in _numbers():
        if signal.getsignal(other) is _interrupt:
            signal.signal(other, signal.SIG_DFL)
    raise Interrupted


def _reraise(ignored: "sys.UnraisableHookArgs") -> None:
    """Raise Interrupted again: Python ignores exceptions in __del__ and in weak reference callbacks.

    After a signal, other ignored exceptions are not reported: they may be consequences, such as a ResourceWarning.
    """
    if ignored.exc_type is Interrupted:
        signal.signal(signal.SIGINT, _interrupt)
        threading.Timer(0.01, _thread.interrupt_main).start()  # after the callback
    elif not _received:
        sys.__unraisablehook__(ignored)


def _numbers() -> list[signal.Signals]:
    return [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
