"""A worker process that runs trials with resource limits and a sandbox: python -m tests.faults.worker FOLDER."""

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
GROWTH = 1 << 30  # maximum growth of memory in a trial, in bytes
ALLOWED = ("/dev/", "/proc/")  # other paths that may be written
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PATHS = {  # audit event -> number of its leading arguments that are modified paths
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "os.utime", "shutil.rmtree"), 1),
    **dict.fromkeys(("os.rename", "os.link"), 2),
}
RELATIVE = ("os.remove", "os.rmdir", "os.rename")  # the last argument is the descriptor of a folder, or -1


class Watch:
    """An audit hook that blocks and records writes outside of a folder and connections, also in forked processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open until the process ends
        sys.addaudithook(self._audit)

    def found(self) -> str:
        """The blocked events since the last call."""
        self._log.seek(0)
        seen = self._log.read().decode(errors="replace")
        self._log.truncate(0)
        self._log.seek(0)
        return seen

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            paths = [os.path.realpath(arguments[0])] if _writes(*arguments) else []
        elif event == "socket.connect":
            paths = [] if isinstance(arguments[1], str | bytes) else [f"{arguments[1]}"]
        elif event in RELATIVE and arguments[-1] >= 0:  # relative to a folder that was checked when it was opened
            paths = []
        else:
            paths = [_place(path) for path in arguments[: PATHS.get(event, 0)] if not isinstance(path, int)]
        for path in paths:
            if not path.startswith((self._folder, *ALLOWED)):
                os.write(self._log.fileno(), f"{event} {path!r}; ".encode(errors="replace"))
                raise PermissionError(13, "outside of the test's folder", path)


def _writes(path: Any, mode: Any, flags: int) -> bool:
    return bool(flags & WRITING) and not isinstance(path, int) and "\0" not in os.fsdecode(path)


def _place(path: str | bytes) -> str:
    """Resolve the folder of a path, but not the path itself, which may be a symlink."""
    folder, name = os.path.split(os.fsdecode(path))
    return os.path.join(os.path.realpath(folder or "."), name)  # noqa: PTH118 - cheap, and for any text


def main(folder: str) -> None:
    """Read jobs (name, seed, index) as lines of JSON, and write outcomes as lines of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for which, most in LIMITS.items():
        resource.setrlimit(which, (most, most))
    os.environ |= dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR"), folder)
    watch = Watch(Path(folder))
    for number, line in enumerate(sys.stdin):
        workdir = Path(folder, "trials", str(number))
        workdir.mkdir(parents=True)
        answers.write(json.dumps(attempt(*json.loads(line), workdir=workdir, watch=watch)) + "\n")


def attempt(name: str, seed: int, index: int, *, workdir: Path, watch: Watch) -> Outcome:
    """Run a trial in a folder that is removed afterwards."""
    os.chdir(workdir)
    before = reset_peak()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a new process, which prints these warnings
        for category in (RuntimeWarning, UserWarning, FutureWarning):
            warnings.simplefilter("always", category)
        try:
            source = random.Random(f"{name.partition(':')[0]} {seed} {index}")  # noqa: S311 - not for cryptography
            outcome = trial_named(name)(source, workdir)
        except BaseException as error:  # noqa: BLE001 - any exception is a defect
            outcome = Outcome("", described(error))
    grown = _status("VmHWM") - before
    if not outcome.problem and grown > GROWTH:
        outcome = outcome._replace(problem=f"takes {grown >> 20:,} MiB of memory")
    os.chdir(workdir.parent)
    shutil.rmtree(workdir, ignore_errors=True)
    if outside := watch.found():
        outcome = outcome._replace(problem=f"reaches outside: {outside[:500]}")
    return outcome


def trial_named(name: str) -> Trial:
    """The function `trial` of MODULE in this package, or FUNCTION for MODULE:FUNCTION."""
    module, _, function = name.partition(":")
    found: Trial = getattr(import_module(f"tests.faults.{module}"), function or "trial")
    return found


def reset_peak() -> int:
    """Reset the process's peak memory; returns the current memory usage in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) << 10


if __name__ == "__main__":
    main(sys.argv[1])
