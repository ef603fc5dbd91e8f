"""Signals that end a program, as one exception: Ctrl-C, SIGTERM and a terminal that is closed."""

import signal
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP

_received: list[int] = []


class Interrupted(BaseException):
    """A signal asked the program to end. It is no Exception, so that nothing but the entry point catches it."""

    @property
    def code(self) -> int:
        """The exit code that shells expect: 128 and the signal's number."""
        return exit_code()


def handle_signals() -> None:
    """Let the first of SIGNALS raise Interrupted in the main thread; a second one ends the process at once.

    A signal that is ignored stays so: that is how `nohup` and background jobs work.
    """
    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def exit_code() -> int:
    """128 and the number of the signal that came, or 0. What it cut short may raise anything, and blame anything."""
    return 128 + _received[0] if _received else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    for other in _numbers():
        if signal.getsignal(other) is _interrupt:
            signal.signal(other, signal.SIG_DFL)
    raise Interrupted


def _numbers() -> list[signal.Signals]:
    return [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
