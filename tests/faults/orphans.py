"""Data sets made by several processes, one of which is ended; and made again at once, while workers may still live."""

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

PATIENCE = 10.0  # seconds in which workers end once their parent has
CALLS = {"idx": (8000, 60_000), "webdataset": (2500, 300_000)}  # digits, and about as many calls of the parent
SPAWNED = b"spawn_main"  # in a worker's command line
WORKER = 0  # stands for the signal that ends a worker, not the parent


def trial(source: random.Random, place: Path) -> Outcome:
    """End a process, call again at once, and look for processes that are left."""
    name, number = source.choice(list(CALLS)), source.choice((*SIGNALS, WORKER))
    n, calls = CALLS[name]
    at = source.randint(1, calls)
    child = Forked(arguments(name, OLD, n=n, workers=3), Fault(at, "calls", functools.partial(_end, number)))
    ended = child.ended()
    again = source.choice(((OLD, "--resume"), (NEW, "--force")))
    other = run(*arguments(name, *again, n=n, workers=2))
    left = _left(child.pid)
    problem = command_problem(ended, (0, *SIGNALS.get(number, (None, (1,)))[1])) or command_problem(other, (0,))
    if not problem and contents(place / "data") != expected(arguments(name, again[0], n=n)):
        problem = "the next call gives other bytes"
    problem = problem or (f"workers {left} live on" if left else alone_problem(place))
    return Outcome(f"{name}, {number or 'a worker ended'} at call {at}, then seed {again}", problem)


def _left(pid: int) -> list[int]:
    """The processes of a group that do not end by themselves; they are ended."""
    until = time.monotonic() + PATIENCE
    while (left := group(pid)) and time.monotonic() < until:
        time.sleep(0.02)
    for one in left:
        os.kill(one, signal.SIGKILL)
    return left


def _end(number: int) -> None:
    """Send a signal, or end one of this process's workers, if there is one by now."""
    if number != WORKER:
        SIGNALS[number][0](os.getpid(), number)
    elif workers := [pid for pid in group(os.getpgrp()) if SPAWNED in Path(f"/proc/{pid}/cmdline").read_bytes()]:
        os.kill(workers[-1], signal.SIGKILL)
