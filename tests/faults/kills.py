"""Data sets interrupted by a signal at any file operation or call, then resumed: same bytes, no leftovers."""

import os
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from tests.faults.mutations import damage
from tests.faults.processes import Fault, run
from tests.faults.sets import SIZES, events, resumed_problem, start, whole_problem
from tests.faults.trials import Outcome, command_problem

# Signal -> function that sends it, and the possible exit codes.
SIGNALS: Mapping[int, tuple[Callable[[int, int], None], tuple[int, ...]]] = {
    signal.SIGKILL: (os.kill, (-9,)),
    signal.SIGTERM: (os.kill, (143,)),
    signal.SIGINT: (os.killpg, (130,)),  # Ctrl-C in a terminal signals the whole process group
    signal.SIGHUP: (os.killpg, (129,)),
}


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Interrupt a command, check the files, and resume."""
    name, force = source.choice(list(SIZES)), source.random() < 0.5
    kind: Literal["files", "calls"] = source.choice(("files", "files", "calls"))
    number = source.choice((signal.SIGKILL, *SIGNALS))
    total = events(name, kind, force)
    at = 1 + int(total * source.random())
    ended = run(*start(name, force), fault=Fault(at, kind, lambda: SIGNALS[number][0](os.getpid(), number)))
    tried = f"{name}{', --force' * force}, signal {number:d} at {at} of {total} {kind}"
    problem = command_problem(ended, (*SIGNALS[number][1], 0)) or whole_problem(workdir, name, force)
    leftovers = {path.name for path in workdir.iterdir()} - {"data"}
    if not problem and ended.err and leftovers and "--resume" not in ended.err:
        problem = f"leaves files and does not mention --resume: {ended.err!r}"
    files = (path for path in workdir.rglob("*") if path.is_file())
    unfinished = sorted(path for path in files if path.relative_to(workdir).parts[0] != "data")
    damaged = damage(source, source.choice(unfinished)) if unfinished and source.random() < 0.3 else ""
    return Outcome(f"{tried}, {damaged}", problem or resumed_problem(workdir, name, force, bool(damaged)))
