"""Every harness for a while; and what counts as a defect."""

import sys
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.faults import runner
from tests.faults.harnesses import HARNESSES
from tests.faults.runner import Job, Worker, batches
from tests.faults.trials import Ended, command_problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, counts memory and looks for processes in /proc")

SEED = 1
BAD_ENDS = {  # trials in broken.py, and what is found
    "crashes": "dies (-6)",
    "raises": "KeyError('counts')",
    "takes_memory": "of memory",
    "writes_outside": "reaches outside: open",
    "removes_outside": "reaches outside: os.remove",
    "raises_foreign": "IndexError",
    "raises_two_lines": "expected an error of one line",
    "warns": "RuntimeWarning invalid value",
}
BAD_COMMANDS = {  # how no command may end, and what is found
    Ended(-11, "", ""): "expected exit code 0 or 1 or 2, got exit code -11",
    Ended(1, "", ""): "without a word",
    Ended(1, "", "Traceback\n"): "at most one line",
    Ended(0, "", "mnistgen: a\nmnistgen: b\n"): "at most one line",
    Ended(1, "", f"mnistgen: {'x' * 2000}\n"): "at most one line",
    Ended(0, "\x1b[31m", ""): "unescaped",
}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def defects() -> dict[str, list[str]]:
    """What the trials of all harnesses found."""
    found: dict[str, list[str]] = defaultdict(list)
    for job, outcome in runner.run(batches(HARNESSES, SEED)):
        if outcome.problem:
            found[job.name].append(f"--seed {job.seed} --index {job.number}: {outcome.problem}\n{outcome.tried[:500]}")
    return found


@pytest.mark.parametrize("name", HARNESSES)
def test_nothing_is_found(name: str, defects: dict[str, list[str]]) -> None:
    assert not defects[name], "\n".join(defects[name])


@pytest.mark.parametrize(("name", "reason"), BAD_ENDS.items())
def test_bad_ends_are_found(name: str, reason: str, worker: Worker) -> None:
    assert reason in worker.do(Job(f"broken:{name}", SEED, 0)).problem


def test_a_trial_that_never_ends_is_found() -> None:
    worker = Worker(deadline=1.0)
    assert worker.do(Job("broken:never_ends", SEED, 0)).problem == "takes more than 1 s"
    worker.close()


@pytest.mark.parametrize(("ended", "reason"), BAD_COMMANDS.items())
def test_bad_commands_are_found(ended: Ended, reason: str) -> None:
    assert reason in command_problem(ended)
    assert not command_problem(Ended(1, "", "mnistgen: a\n"))
