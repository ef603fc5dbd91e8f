"""The command line in a forked process, with a fault at a given event, so that trials are deterministic.

Events are the calls and returns of the main thread: "files" counts those of file operations, "calls" all.
"""

import io
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from tests.faults.trials import FAILED, Ended, described, exit_code, mnistgen

FILE_CALLS = {
    *("open", "write", "writelines", "close", "flush", "fsync", "sync", "truncate", "ftruncate", "posix_fallocate"),
    *("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "chmod", "link", "symlink", "flock"),
}
NO_FILES = (str, bytes, bytearray, dict, list, io.StringIO, io.BytesIO)  # their methods have the same names
LIMIT = 30.0  # seconds, timeout of a process


@dataclass(frozen=True)
class Fault:
    """An action at the n-th event of a process; with n = 0, events are only counted."""

    at: int = 0
    events: Literal["files", "calls"] = "files"
    act: Callable[[], None] = lambda: None


@dataclass
class Forked:
    """`mnistgen ARGUMENTS` in a forked process and a new process group."""

    arguments: tuple[object, ...]
    fault: Fault = Fault()
    limits: Mapping[int, int] = field(default_factory=dict)  # RLIMIT_... -> value
    events: int = 0  # number of events, after `ended`

    def __post_init__(self) -> None:
        self._streams = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed by `ended`
        self.pid = os.fork()
        if not self.pid:
            self._run_child()

    def stopped(self) -> bool:
        """Wait until it stops or ends; returns whether it stopped."""
        info = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return info is not None and info.si_code == os.CLD_STOPPED

    def ended(self) -> Ended:
        """Wait until it ends, and return its result. After LIMIT, kills it and its workers, and raises TimeoutError."""
        before = signal.signal(signal.SIGALRM, _too_long)
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            _, status = os.waitpid(self.pid, 0)
        except TimeoutError:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        out, err, events = (_text(stream) for stream in self._streams)
        self.events = int(events or 0)
        return Ended(os.waitstatus_to_exitcode(status), out, err)

    def _run_child(self) -> None:
        """Run the command in the child, with its own process group, streams and limits, and exit."""
        code = FAILED
        try:
            os.setpgid(0, 0)
            for number, stream in zip((1, 2), self._streams, strict=False):
                os.dup2(stream.fileno(), number)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (signal.SIGTERM, signal.SIGHUP):  # ignored under `nohup`
                signal.signal(number, signal.SIG_DFL)
            for which, value in self.limits.items():
                resource.setrlimit(which, (value, value))
            sys.argv = ["mnistgen", *map(str, self.arguments)]
            counter = _Counter(self.fault)
            sys.setprofile(counter)
            try:
                code = exit_code(mnistgen)
            finally:
                sys.setprofile(None)
                sys.stdout.flush()
                sys.stderr.flush()
            os.write(self._streams[2].fileno(), str(counter.count).encode())
        except BaseException as error:  # noqa: BLE001 - it must not continue as its parent
            sys.setprofile(None)
            print(described(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)


class _Counter:
    """A profile function that counts the events of the command line's main function and triggers the fault."""

    def __init__(self, fault: Fault) -> None:
        self.count = 0
        self._fault = fault
        self._main: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._main is None:  # before main(), when no signal handlers are installed
            if frame.f_code.co_name == "main" and frame.f_code.co_filename.endswith("app.py"):
                self._main = frame
        elif frame is self._main and event == "return":
            sys.setprofile(None)
        elif self._fault.events == "calls" or _touches_files(event, argument):
            self.count += 1
            if self.count == self._fault.at:
                self._fault.act()


def _touches_files(event: str, called: Any) -> bool:
    return event.startswith("c_") and called.__name__ in FILE_CALLS and not isinstance(called.__self__, NO_FILES)


def run(*arguments: object, fault: Fault = Fault(), limits: Mapping[int, int] | None = None) -> Ended:
    """Run `mnistgen ARGUMENTS` to its end in a forked process."""
    return Forked(arguments, fault, limits or {}).ended()


def group(pid: int) -> list[int]:
    """The running processes of a group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(pgrp) == pid and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def _text(stream: Any) -> str:
    with stream:
        stream.seek(0)
        return str(stream.read().decode(errors="replace"))


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"did not end within {LIMIT:g} s")
