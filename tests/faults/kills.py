"""Data sets ended by a signal at any file operation or call, then resumed: the very bytes, and nothing else around."""

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

# What a signal does: whom it reaches, and the exit codes that may follow.
SIGNALS: Mapping[int, tuple[Callable[[int, int], None], tuple[int, ...]]] = {
    signal.SIGKILL: (os.kill, (-9,)),
    signal.SIGTERM: (os.kill, (143,)),
    signal.SIGINT: (os.killpg, (130,)),  # a terminal's Ctrl-C reaches all that it runs
    signal.SIGHUP: (os.killpg, (129,)),
}


def trial(source: random.Random, place: Path) -> Outcome:
    """End it, look at what is there, and resume."""
    name, force = source.choice(list(SIZES)), source.random() < 0.5
    kind: Literal["files", "calls"] = source.choice(("files", "files", "calls"))
    number = source.choice((signal.SIGKILL, *SIGNALS))
    total = events(name, kind, force)
    at = 1 + int(total * source.random())
    ended = run(*start(name, force), fault=Fault(at, kind, lambda: SIGNALS[number][0](os.getpid(), number)))
    tried = f"{name}{', --force' * force}, signal {number:d} at {at} of {total} {kind}"
    problem = command_problem(ended, (*SIGNALS[number][1], 0)) or whole_problem(place, name, force)
    if not problem and ended.err and "--resume" not in ended.err and {path.name for path in place.iterdir()} - {"data"}:
        problem = f"leaves something and does not say that --resume goes on: {ended.err!r}"
    unfinished = [path for path in place.rglob("*") if path.is_file() and path.relative_to(place).parts[0] != "data"]
    damaged = damage(source, source.choice(sorted(unfinished))) if unfinished and source.random() < 0.3 else ""
    return Outcome(f"{tried}, {damaged}", problem or resumed_problem(place, name, force, bool(damaged)))
