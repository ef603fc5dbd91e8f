"""A process that does trials one after the other, under limits and watched: python -m tests.faults.worker FOLDER."""

import json
import os
import random
import resource
import shutil
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.faults.trials import Outcome, Trial, described

LIMITS = {resource.RLIMIT_DATA: 6 << 30, resource.RLIMIT_FSIZE: 1 << 30, resource.RLIMIT_CORE: 0}  # bytes
GROWTH = 1 << 30  # bytes of memory that a trial may take
EVERYBODYS = ("/dev/", "/proc/")  # files that may be written anywhere
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PATHS = {  # audit events: how many of their arguments are paths that change
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.utime", "shutil.rmtree"), 1),
    **dict.fromkeys(("os.rename", "os.link"), 2),
}
RELATIVE = ("os.remove", "os.rmdir", "os.rename")  # whose last argument is a folder's descriptor, or -1


class Watch:
    """Refuses, and remembers, what is written outside of a folder, in forked processes too, and connections."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        sys.addaudithook(self._look)

    def found(self) -> str:
        """What was seen since the last call."""
        self._log.seek(0)
        seen = self._log.read().decode(errors="replace")
        self._log.truncate(0)
        self._log.seek(0)
        return seen

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            paths = [os.path.realpath(arguments[0])] if _writes(*arguments) else []
        elif event == "socket.connect":
            paths = [] if isinstance(arguments[1], str | bytes) else [f"{arguments[1]}"]
        elif event in RELATIVE and arguments[-1] >= 0:  # to a folder that was looked at when it was opened
            paths = []
        else:
            paths = [_place(path) for path in arguments[: PATHS.get(event, 0)] if not isinstance(path, int)]
        for path in paths:
            if not path.startswith((self._folder, *EVERYBODYS)):
                os.write(self._log.fileno(), f"{event} {path!r}; ".encode(errors="replace"))
                raise PermissionError(13, "outside of the test's folder", path)


def _writes(path: Any, mode: Any, flags: int) -> bool:
    return bool(flags & WRITING) and not isinstance(path, int) and "\0" not in os.fsdecode(path)


def _place(path: str | bytes) -> str:
    """A path whose folders are real, though it may be a link itself."""
    folder, name = os.path.split(os.fsdecode(path))
    return os.path.join(os.path.realpath(folder or "."), name)  # noqa: PTH118 - cheap, and for any text


def main(folder: str) -> None:
    """Lines of JSON in, name, seed and index; a line of JSON out, what was tried and the problem."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for which, most in LIMITS.items():
        resource.setrlimit(which, (most, most))
    os.environ |= dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR"), folder)
    watch = Watch(Path(folder))
    for number, line in enumerate(sys.stdin):
        place = Path(folder, "trials", str(number))
        place.mkdir(parents=True)
        answers.write(json.dumps(attempt(*json.loads(line), place=place, watch=watch)) + "\n")


def attempt(name: str, seed: int, index: int, *, place: Path, watch: Watch) -> Outcome:
    """One trial, in a folder that is removed after it."""
    os.chdir(place)
    before = forget_peak()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a process of its own, whose warnings are all printed
        for category in (RuntimeWarning, UserWarning, FutureWarning):
            warnings.simplefilter("always", category)
        try:
            source = random.Random(f"{name.partition(':')[0]} {seed} {index}")  # noqa: S311 - nothing secret
            outcome = trial_named(name)(source, place)
        except BaseException as error:  # noqa: BLE001 - all that escapes is a finding
            outcome = Outcome("", described(error))
    grown = _status("VmHWM") - before
    if not outcome.problem and grown > GROWTH:
        outcome = outcome._replace(problem=f"takes {grown >> 20:,} MiB of memory")
    os.chdir(place.parent)
    shutil.rmtree(place, ignore_errors=True)
    if outside := watch.found():
        outcome = outcome._replace(problem=f"reaches outside: {outside[:500]}")
    return outcome


def trial_named(name: str) -> Trial:
    """MODULE of this folder, whose function is `trial`, or MODULE:FUNCTION."""
    module, _, function = name.partition(":")
    found: Trial = getattr(import_module(f"tests.faults.{module}"), function or "trial")
    return found


def forget_peak() -> int:
    """Count this process's peak of memory from here on; bytes in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) << 10


if __name__ == "__main__":
    main(sys.argv[1])
