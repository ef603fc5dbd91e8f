"""Ctrl-C, SIGTERM and a closed terminal: one-line messages and no partial files."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnistgen._interruption import signals_kept_back

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
MANY = 10**6  # digits, more than any test waits for

FORM = ["--format", "webdataset", "--shard-size", "100"]

# A script that sends itself a signal before it imports a module, or at another audit event.
HOOKED = """
import os, signal, sys
event, word, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
def hook(name, arguments):
    if name == event and word in str(arguments[0]) and not hook.sent:
        hook.sent = True
        os.kill(os.getpid(), number)
hook.sent = False
from mnistgen.__main__ import main
sys.addaudithook(hook)
sys.argv[1:] = sys.argv[4:]
main()
"""


def run_hooked(folder: Path, event: str, word: str, number: int, *command: object) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", HOOKED, event, word, str(int(number)), *map(str, command)]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["typer", "numpy", "onnxruntime", "onnxruntime.capi", "PIL.Image"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_during_imports(tmp_path: Path, module: str, number: signal.Signals) -> None:
    result = run_hooked(tmp_path, "import", module, number, "sample", "--out", "grid.png")
    assert (result.returncode, result.stdout, result.stderr) == (128 + number, "", "mnistgen: interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", SIGNALS)
def test_during_write(tmp_path: Path, number: signal.Signals) -> None:
    result = run_hooked(tmp_path, "os.rename", "", number, "sample", "--out", "grid.png")
    assert (result.returncode, result.stdout, result.stderr) == (128 + number, "", "mnistgen: interrupted\n")
    assert not list(tmp_path.iterdir())


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    command = (
        f"trap '' HUP; exec {sys.executable} -c '{HOOKED}' os.rename '' {int(signal.SIGHUP)} sample --out grid.png"
    )
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True).returncode == 0
    assert (tmp_path / "grid.png").exists()


def test_signals_are_deferred_while_processes_start() -> None:
    """Also if another thread receives them, e.g. one of NumPy's."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    started = []

    def start_one() -> None:
        assert thread.ident
        with signals_kept_back():
            signal.pthread_kill(thread.ident, signal.SIGINT)
            started.append(subprocess.run([sys.executable, "-c", ""]).returncode)

    with pytest.raises(KeyboardInterrupt):
        start_one()
    over.set()
    thread.join()
    assert started == [0]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT, signal.SIGHUP}


class Run:
    """A running `mnistgen dataset` in its own process group, as started from a terminal."""

    def __init__(self, folder: Path, model: Path, workers: int) -> None:
        arguments = ["--out", "data", "--n", str(MANY), "--test", "0", "--seed", "1", "--workers", str(workers)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mnistgen", "dataset", *arguments, *FORM, "--model", str(model)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._progress = folder / ".data.mnistgen/progress"

    def wait_for_digits(self) -> None:
        while not list(self._progress.glob("*.jsonl")):
            assert self.process.poll() is None, self.process.communicate()

    def workers(self, count: int) -> list[int]:
        """Pidfds of its children, readable when they have ended."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while len(children := path.read_text().split()) < count:
            assert self.process.poll() is None, self.process.communicate()
        return [os.pidfd_open(int(child)) for child in children]


@pytest.fixture
def start(conditional_model: Path, tmp_path: Path) -> Iterator[type[Run]]:
    runs: list[Run] = []

    def begin(workers: int) -> Run:
        runs.append(Run(tmp_path, conditional_model, workers))
        return runs[-1]

    yield begin  # type: ignore[misc]
    for run in runs:
        run.process.kill()
        run.process.communicate()


def ended(descriptors: list[int]) -> bool:
    """Whether all processes end in time."""
    waiting = select.poll()
    for number in descriptors:
        waiting.register(number, select.POLLIN)
    left = set(descriptors)
    while left and (some := waiting.poll(20_000)):
        for number, _ in some:
            waiting.unregister(number)
            os.close(number)
            left.discard(number)
    return not left


@pytest.mark.parametrize("number", SIGNALS)
def test_data_set_message_names_resume(start: type[Run], tmp_path: Path, number: signal.Signals) -> None:
    run = start(workers=2)  # type: ignore[call-arg]
    run.wait_for_digits()
    workers = run.workers(2)  # and the resource tracker
    os.killpg(run.process.pid, number)
    out, err = run.process.communicate()
    line = "mnistgen: interrupted; run the same command with --resume to continue\n"
    assert (run.process.returncode, out, err) == (128 + number, "", line)
    assert ended(workers)
    assert [path.name for path in tmp_path.iterdir()] == [".data.mnistgen"]


def test_ctrl_c_while_workers_start(start: type[Run]) -> None:
    run = start(workers=3)  # type: ignore[call-arg]
    workers = run.workers(3)
    os.killpg(run.process.pid, signal.SIGINT)
    out, err = run.process.communicate()
    line = "mnistgen: interrupted; run the same command with --resume to continue\n"
    assert (run.process.returncode, out, err) == (130, "", line)
    assert ended(workers)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_workers_end_when_parent_is_killed(start: type[Run], number: signal.Signals) -> None:
    run = start(workers=2)  # type: ignore[call-arg]
    run.wait_for_digits()
    workers = run.workers(2)
    run.process.send_signal(number)
    run.process.kill()
    run.process.communicate()
    assert ended(workers)
