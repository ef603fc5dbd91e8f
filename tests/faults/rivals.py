"""Two concurrent runs with the same output folder, the first stopped at any file operation while the second runs."""

import os
import random
import signal
from pathlib import Path

from tests.faults.processes import Fault, Forked
from tests.faults.sets import NEW, OLD, SIZES, alone_problem, arguments, events, expected, start
from tests.faults.trials import Outcome, command_problem, contents

WAYS: tuple[tuple[str, ...], ...] = ((), ("--force",), ("--resume",))

STARTING = 20  # file operations in which the first may hold the lock without having written its process id


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Stop the first, run the second, and continue the first; or run both concurrently."""
    name, force = source.choice(list(SIZES)), source.random() < 0.5
    seed, way, at_once = source.choice((OLD, NEW)), source.choice(WAYS), source.random() < 0.2
    at = 0 if at_once else 1 + int(source.random() * events(name, "files", force))
    tried = f"{name}{', --force' * force}, {f'stopped at {at}' if at else 'at once'}; the other: seed {seed} {way}"
    first = Forked(start(name, force), Fault(at, act=lambda: os.kill(os.getpid(), signal.SIGSTOP)))
    stopped = not at_once and first.stopped()
    other = Forked(arguments(name, seed, *way)).ended()
    between = contents(workdir / "data")
    os.kill(first.pid, signal.SIGCONT)
    one = first.ended()
    problem = command_problem(one) or command_problem(other)
    finished = between in (expected(arguments(name, OLD)), expected(arguments(name, NEW)))
    has_other_reason = finished and way != ("--force",)
    owner = (f"process {first.pid} ", *(("another process",) if at < STARTING else ()))
    if not problem and stopped and other.code and not has_other_reason and not any(name in other.err for name in owner):
        problem = f"the second does not name process {first.pid} as the owner: {other.err!r}"
    if not problem and one.code and other.code:  # valid if the other locked out the first and failed for another reason
        old_is_kept = contents(workdir / "data") == expected(arguments(name, OLD))
        valid = at_once and force and way != ("--force",) and old_is_kept
        return Outcome(tried, "" if valid else f"both fail: {one.err!r}, {other.err!r}")
    return Outcome(tried, problem or _mixed(workdir, name, seed, one.code, other.code))


def _mixed(workdir: Path, name: str, seed: int, one: int, other: int) -> str:
    """Check that the folder contains exactly the result of one of the runs."""
    ended = [number for number, code in ((NEW, one), (seed, other)) if not code]
    if contents(workdir / "data") not in [expected(arguments(name, number)) for number in ended]:
        return f"seeds {ended} end with exit code 0, but data has other contents"
    return alone_problem(workdir)
