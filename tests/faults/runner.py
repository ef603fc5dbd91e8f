"""Trials in worker processes, which may crash, hang and fill their memory; and the table of how they ended."""

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
DEADLINE = 60.0  # seconds for a trial
SHOWN = 3  # defects of a kind


class Job(NamedTuple):
    """One trial by its name; its number and the seed decide all that is random in it."""

    name: str
    seed: int
    number: int


class Worker:
    """A process that is started when it is needed, and again after it died."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._process: subprocess.Popen[str] | None = None
        self._folder: TemporaryDirectory[str]  # the only one where it may write
        self._said: IO[str]  # by the process, on standard error

    def do(self, job: Job) -> Outcome:
        """The outcome of a trial; the end of the process, or its silence, is a problem too."""
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
        self._said.seek(0)
        said = self._said.read()[-300:]
        self.close()
        if (harness := HARNESSES.get(job.name)) and harness.after_death:
            return self.do(job._replace(name=harness.after_death))
        return Outcome("", f"takes more than {self._deadline:g} s" if late else f"dies ({code}): {said!r}")

    def close(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            _end_session(self._process.pid)
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout, self._said):
                assert stream
                stream.close()
            self._folder.cleanup()
        self._process = None

    def _start(self) -> subprocess.Popen[str]:
        self._folder = TemporaryDirectory(prefix="mnistgen-faults-", ignore_cleanup_errors=True)
        self._said = TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed by `close`
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", self._folder.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
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
    """How the trials of a harness ended."""

    tried: int = 0
    defects: int = 0
    _kinds: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> bool:
        """Count it in; whether it is a defect to be shown, of a kind that was seldom seen."""
        self.tried += 1
        self.defects += bool(outcome.problem)
        kind = re.sub(r"[0-9]+|'.*?'|/\S*", "", outcome.problem)[:80]
        self._kinds[kind] += 1
        return bool(outcome.problem) and self._kinds[kind] <= SHOWN


def run(batches: Iterable[list[Job]]) -> Iterator[tuple[Job, Outcome]]:
    """Do lists of trials in PROCESSES processes, each list in one of them; outcomes as they come."""
    waiting, taking = iter(batches), threading.Lock()
    outcomes: SimpleQueue[tuple[Job, Outcome] | None] = SimpleQueue()

    def work() -> None:
        worker = Worker()
        try:
            while True:
                with taking:
                    batch = next(waiting, None)
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
    """As many trials of every harness as the suite does, the first ones or, round after round, the next ones."""
    for name in names:
        count = HARNESSES[name].in_suite
        yield [Job(name, seed, first * count + index) for index in range(count)]


def table(tallies: Mapping[str, Tally]) -> str:
    """Markdown: what was tried and how it ended."""
    lines = ["| harness | what is tried | tried | clean | defects |", "| --- | --- | --: | --: | --: |"]
    for name, tally in tallies.items():
        counts = (tally.tried, tally.tried - tally.defects, tally.defects)
        lines.append(" | ".join((f"| {name}", HARNESSES[name].what, *(f"{count:,}" for count in counts))) + " |")
    return "\n".join(lines)
