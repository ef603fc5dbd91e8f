"""Runs trials in worker processes, which may crash, hang or exhaust memory, and summarises the outcomes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, NamedTuple

from tests.faults.harnesses import HARNESSES
from tests.faults.trials import Outcome

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2
DEADLINE = 60.0  # seconds per trial
SHOWN = 3  # maximum number of printed defects per kind


class Job(NamedTuple):
    """A trial; its name, seed and number determine all its random choices."""

    name: str
    seed: int
    number: int


class Worker:
    """A worker process, started on demand and restarted after a crash."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._process: subprocess.Popen[str] | None = None
        self._folder: TemporaryDirectory[str]  # the only writable one
        self._stderr: IO[str]  # standard error of the process

    def do(self, job: Job) -> Outcome:
        """Run a trial. If the process dies or does not answer, that is the outcome."""
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        timer = threading.Timer(self._deadline, process.kill)
        timer.start()
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        late = not timer.is_alive()
        timer.cancel()
        if answer:
            return Outcome(*json.loads(answer))
        code = process.wait()
        self._stderr.seek(0)
        message = self._stderr.read()[-300:]
        self.close()
        if (harness := HARNESSES.get(job.name)) and harness.after_death:
            return self.do(job._replace(name=harness.after_death))
        return Outcome("", f"takes more than {self._deadline:g} s" if late else f"dies ({code}): {message!r}")

    def close(self) -> None:
        """Kill the process and all its children."""
        if self._process is not None:
            _end_session(self._process.pid)
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._stderr):
                assert stream
                stream.close()
            self._folder.cleanup()
        self._process = None

    def _start(self) -> subprocess.Popen[str]:
        self._folder = TemporaryDirectory(prefix="mnistgen-faults-", ignore_cleanup_errors=True)
        self._stderr = TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed by `close`
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )


def _end_session(session: int) -> None:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[3]) == session:
                os.kill(int(path.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue


@dataclass
class Tally:
    """Counts of the outcomes of a harness."""

    tried: int = 0
    defects: int = 0
    _kinds: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> bool:
        """Count an outcome; returns whether to print it, i.e. if it is one of the first defects of its kind."""
        self.tried += 1
        self.defects += bool(outcome.problem)
        kind = re.sub(r"[0-9]+|'.*?'|/\S*", "", outcome.problem)[:80]
        self._kinds[kind] += 1
        return bool(outcome.problem) and self._kinds[kind] <= SHOWN


def run(batches: Iterable[list[Job]]) -> Iterator[tuple[Job, Outcome]]:
    """Run batches of trials in PROCESSES processes, each batch in one process; yields outcomes as they complete."""
    pending, lock = iter(batches), threading.Lock()
    outcomes: SimpleQueue[tuple[Job, Outcome] | None] = SimpleQueue()

    def work() -> None:
        worker = Worker()
        try:
            while True:
                with lock:
                    batch = next(pending, None)
                if batch is None:
                    return
                for job in batch:
                    outcomes.put((job, worker.do(job)))
        finally:
            worker.close()
            outcomes.put(None)

    for _ in range(PROCESSES):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(PROCESSES):
        yield from iter(outcomes.get, None)


def batches(names: Iterable[str], seed: int, first: int = 0) -> Iterator[list[Job]]:
    """A batch per harness, as large as in the test suite: number `first` of consecutive batches."""
    for name in names:
        count = HARNESSES[name].in_suite
        yield [Job(name, seed, first * count + index) for index in range(count)]


def table(tallies: Mapping[str, Tally]) -> str:
    """The tallies as a Markdown table."""
    lines = ["| harness | what is tried | tried | clean | defects |", "| --- | --- | --: | --: | --: |"]
    for name, tally in tallies.items():
        counts = (tally.tried, tally.tried - tally.defects, tally.defects)
        lines.append(" | ".join((f"| {name}", HARNESSES[name].what, *(f"{count:,}" for count in counts))) + " |")
    return "\n".join(lines)
