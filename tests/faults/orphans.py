"""Data sets from several processes, one of which is killed; then a new run while workers may still be alive."""

import functools
import os
import random
import signal
import time
from pathlib import Path

from tests.faults.kills import SIGNALS
from tests.faults.processes import Fault, Forked, group, run
from tests.faults.sets import NEW, OLD, alone_problem, arguments, expected
from tests.faults.trials import Outcome, command_problem, contents

TIMEOUT = 10.0  # seconds for workers to exit after their parent
CALLS = {
    "idx": (8000, 60_000),
    "webdataset": (2500, 300_000),
}  # number of digits, and approximate number of calls in the parent
SPAWNED = b"spawn_main"  # part of a worker's command line
WORKER = 0  # instead of a signal: kill a worker, not the parent


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Kill a process, run the command again at once, and look for remaining processes."""
    name, number = source.choice(list(CALLS)), source.choice((*SIGNALS, WORKER))
    n, calls = CALLS[name]
    at = source.randint(1, calls)
    child = Forked(arguments(name, OLD, n=n, workers=3), Fault(at, "calls", functools.partial(_end, number)))
    ended = child.ended()
    again = source.choice(((OLD, "--resume"), (NEW, "--force")))
    other = run(*arguments(name, *again, n=n, workers=2))
    left = _left(child.pid)
    problem = command_problem(ended, (0, *SIGNALS.get(number, (None, (1,)))[1])) or command_problem(other, (0,))
    if not problem and contents(workdir / "data") != expected(arguments(name, again[0], n=n)):
        problem = "the next call gives other bytes"
    problem = problem or (f"workers {left} are still running" if left else alone_problem(workdir))
    return Outcome(f"{name}, {number or 'a worker ended'} at call {at}, then seed {again}", problem)


def _left(pid: int) -> list[int]:
    """The processes of a group that do not exit in time; kills them."""
    until = time.monotonic() + TIMEOUT
    while (left := group(pid)) and time.monotonic() < until:
        time.sleep(0.02)
    for one in left:
        os.kill(one, signal.SIGKILL)
    return left


def _end(number: int) -> None:
    """Send a signal to this process, or kill one of its workers, if there is one."""
    if number != WORKER:
        SIGNALS[number][0](os.getpid(), number)
    elif workers := [pid for pid in group(os.getpgrp()) if SPAWNED in Path(f"/proc/{pid}/cmdline").read_bytes()]:
        os.kill(workers[-1], signal.SIGKILL)
