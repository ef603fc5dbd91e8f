"""A few trials of each harness; and the detection of defects."""

import sys
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.faults import runner
from tests.faults.harnesses import HARNESSES
from tests.faults.runner import Job, Worker, batches
from tests.faults.trials import Ended, command_problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /proc")

SEED = 1
FAILURES = {  # trials in broken.py -> part of the reported problem
    "crashes": "dies (-6)",
    "raises": "KeyError('counts')",
    "takes_memory": "of memory",
    "writes_outside": "reaches outside: open",
    "removes_outside": "reaches outside: os.remove",
    "raises_other_type": "IndexError",
    "raises_two_lines": "expected an error of one line",
    "warns": "RuntimeWarning invalid value",
}
INVALID_RESULTS = {  # results of commands -> part of the reported problem
    Ended(-11, "", ""): "expected exit code 0 or 1 or 2, got exit code -11",
    Ended(1, "", ""): "without a message",
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
    """The defects found by the trials of all harnesses."""
    found: dict[str, list[str]] = defaultdict(list)
    for job, outcome in runner.run(batches(HARNESSES, SEED)):
        if outcome.problem:
            found[job.name].append(f"--seed {job.seed} --index {job.number}: {outcome.problem}\n{outcome.tried[:500]}")
    return found


@pytest.mark.parametrize("name", HARNESSES)
def test_no_defects(name: str, defects: dict[str, list[str]]) -> None:
    assert not defects[name], "\n".join(defects[name])


@pytest.mark.parametrize(("name", "reason"), FAILURES.items())
def test_failures_are_detected(name: str, reason: str, worker: Worker) -> None:
    assert reason in worker.do(Job(f"broken:{name}", SEED, 0)).problem


def test_timeout_is_detected() -> None:
    worker = Worker(deadline=1.0)
    assert worker.do(Job("broken:never_ends", SEED, 0)).problem == "takes more than 1 s"
    worker.close()


@pytest.mark.parametrize(("ended", "reason"), INVALID_RESULTS.items())
def test_invalid_results_are_detected(ended: Ended, reason: str) -> None:
    assert reason in command_problem(ended)
    assert not command_problem(Ended(1, "", "mnistgen: a\n"))
