"""Two data sets in one place at once, the first stopped at any file operation while the second runs."""

import os
import random
import signal
from pathlib import Path

from tests.faults.processes import Fault, Forked
from tests.faults.sets import NEW, OLD, SIZES, alone_problem, arguments, events, expected, start
from tests.faults.trials import Outcome, command_problem, contents

WAYS: tuple[tuple[str, ...], ...] = ((), ("--force",), ("--resume",))

JUST_BEGUN = 20  # file operations, within which the first owns the place and has not yet written its name


def trial(source: random.Random, place: Path) -> Outcome:
    """Stop the first, run the second to its end, let the first go on; or both at once."""
    name, force = source.choice(list(SIZES)), source.random() < 0.5
    seed, way, at_once = source.choice((OLD, NEW)), source.choice(WAYS), source.random() < 0.2
    at = 0 if at_once else 1 + int(source.random() * events(name, "files", force))
    tried = f"{name}{', --force' * force}, {f'stopped at {at}' if at else 'at once'}; the other: seed {seed} {way}"
    first = Forked(start(name, force), Fault(at, act=lambda: os.kill(os.getpid(), signal.SIGSTOP)))
    stopped = not at_once and first.stopped()
    other = Forked(arguments(name, seed, *way)).ended()
    between = contents(place / "data")
    os.kill(first.pid, signal.SIGCONT)
    one = first.ended()
    problem = command_problem(one) or command_problem(other)
    may_say_why = between in (expected(arguments(name, OLD)), expected(arguments(name, NEW))) and way != ("--force",)
    owner = (f"process {first.pid} ", *(("another process",) if at < JUST_BEGUN else ()))
    if not problem and stopped and other.code and not may_say_why and not any(name in other.err for name in owner):
        problem = f"the second does not say that process {first.pid} is at work: {other.err!r}"
    if not problem and one.code and other.code:  # fine where the other kept the first out and found a reason of its own
        kept = at_once and force and way != ("--force",) and contents(place / "data") == expected(arguments(name, OLD))
        return Outcome(tried, "" if kept else f"both fail: {one.err!r}, {other.err!r}")
    return Outcome(tried, problem or _mixed(place, name, seed, one.code, other.code))


def _mixed(place: Path, name: str, seed: int, one: int, other: int) -> str:
    """What is wrong with the place after both: it holds what one of them made, and nothing is beside it."""
    ended = [number for number, code in ((NEW, one), (seed, other)) if not code]
    if contents(place / "data") not in [expected(arguments(name, number)) for number in ended]:
        return f"seeds {ended} end with exit code 0, but data holds something else"
    return alone_problem(place)
