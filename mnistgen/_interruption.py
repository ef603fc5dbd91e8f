"""Signals that end a program, as one exception: Ctrl-C, SIGTERM and a terminal that is closed."""

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
    """A signal asked the program to end. It is no Exception, so that nothing but the entry point catches it."""


def handle_signals() -> None:
    """Let the first of SIGNALS raise Interrupted in the main thread; a second one ends the process at once.

    A signal that is ignored stays so: that is how `nohup` and background jobs work.
    """
    sys.unraisablehook = _raise_again
    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def exit_code() -> int:
    """128 and the number of the signal that came, or 0. What it cut short may raise anything, and blame anything."""
    return 128 + _received[0] if _received else 0


@contextmanager
def signals_kept_back() -> Iterator[None]:
    """Processes that start in here never see Ctrl-C or a closed terminal, which are sent to all of a group.

    Else they would print tracebacks in their first second; whoever starts them must also end them. Nor is this process
    interrupted meanwhile, for a process that is started halfway complains too: signals are handled at the end.
    """
    if sys.platform == "win32":  # which knows no such thing
        yield
        return
    from multiprocessing import resource_tracker  # late: it takes longer to import than all else here

    with _deferred():  # for other threads of this process may get them, whatever this one blocks
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            resource_tracker.ensure_running()  # which lets SIGINT through again when it starts
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _deferred() -> Iterator[None]:
    """Call Python's signal handlers only when the block has ended; they are called in the main thread alone."""
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _numbers()}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for arrived in came:
            signal.raise_signal(arrived)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    for other in _numbers():
        if signal.getsignal(other) is _interrupt:
            signal.signal(other, signal.SIG_DFL)
    raise Interrupted


def _raise_again(ignored: "sys.UnraisableHookArgs") -> None:
    """What is raised in the callback of a weak reference or in __del__ is ignored; a signal must not be.

    What it cut short is not told: an open file's ResourceWarning, say, where warnings are errors.
    """
    if ignored.exc_type is Interrupted:
        signal.signal(signal.SIGINT, _interrupt)
        threading.Timer(0.01, _thread.interrupt_main).start()  # once the callback is over
    elif not _received:
        sys.__unraisablehook__(ignored)


def _numbers() -> list[signal.Signals]:
    return [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
