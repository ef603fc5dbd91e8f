"""Generators with threads, pickling, spawned and forked processes, at interpreter exit, and Ctrl-C."""

import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import mnistgen
from mnistgen._runtime import EXIT_TIMEOUT
from tests.mnistgen.conftest import near

# Four daemon threads that spend nearly all of their time in the network.
SAMPLING = """
import threading, mnistgen
generator = mnistgen.Generator("dcgan", device="cpu", threads=1)
sampled = threading.Semaphore(0)
def sample_for_ever():
    while True:
        generator.sample(8, seed=1)
        sampled.release()
for _ in range(4):
    threading.Thread(target=sample_for_ever, daemon=True).start()
for _ in range(4):
    sampled.acquire()
"""


def run(script: str, *arguments: object) -> str:
    """Run a script in a new process, which must succeed before the timeout for running calls; return its output."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, timeout=0.9 * EXIT_TIMEOUT, stdout=subprocess.PIPE, text=True).stdout


def test_threads_share_generator(generator: mnistgen.Generator) -> None:
    expected = generator.sample(800, seed=2)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda start: generator.sample(50, seed=2, start=start), range(0, 800, 50)))
    assert near(np.concatenate(parts), expected)


def test_pickled_and_spawned(conditional_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnistgen._loaded.usable_cpus", lambda: 2)
    generator = mnistgen.Generator(conditional_model, device="cpu", threads=8)
    monkeypatch.setattr("mnistgen._loaded.usable_cpus", lambda: 1)  # where it is unpickled
    copy = pickle.loads(pickle.dumps(generator))  # noqa: S301 - our own bytes
    assert (copy.device, copy.threads, copy.card) == ("cpu", 4, generator.card)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        images = pool.apply(generator.sample, (20,), {"seed": 3})
    assert near(images, copy.sample(20, seed=3))
    assert near(images, generator.sample(20, seed=3))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
class TestFork:
    """Children neither wait for threads and locks that exist in their parent only, nor free its sessions."""

    def test_children_sample_and_exit(self) -> None:
        run("""
import os, sys, mnistgen
generator = mnistgen.Generator(threads=3)
def both():
    images = generator.sample(300, seed=1, slant=0.1)
    return images, generator.encode(images[:9]).latents
expected = both()
for child_samples in (True, False):
    child = os.fork()
    if child == 0:
        if child_samples:
            assert all((abs(one - other.astype(float)) <= 1).all() for one, other in zip(both(), expected))
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
""")

    def test_during_sampling_in_daemon_threads(self) -> None:
        run(f"""
import os, sys
{SAMPLING}
child = os.fork()
if child == 0:
    generator.sample(3)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
""")


class TestExit:
    """Interpreter exit, which would abort while a daemon thread is inside onnxruntime."""

    def test_sampling_in_daemon_threads_and_atexit_handlers(self) -> None:
        script = f"""
import atexit
atexit.register(lambda: print(generator.sample(3).shape))
{SAMPLING}
atexit.register(lambda: print(generator.sample(2).shape))
"""
        assert run(script) == "(2, 28, 28)\n(3, 28, 28)\n"

    def test_daemon_threads_opening_models(self) -> None:
        run(SAMPLING.replace("generator.sample(8, seed=1)", "mnistgen.Generator('dcgan', device='cpu', threads=1)"))


def test_system_without_fork_and_affinity(conditional_model: Path) -> None:
    """As on Windows and, in part, on macOS."""
    script = """
import os, sys
for name in {"fork", "register_at_fork", "sched_getaffinity"} & set(dir(os)):
    delattr(os, name)
import mnistgen
generator = mnistgen.Generator(sys.argv[1])
assert 1 <= generator.threads <= os.cpu_count()
print(generator.sample(3).shape)
"""
    assert run(script, conditional_model) == "(3, 28, 28)\n"


@pytest.mark.parametrize(("event", "word", "n"), [("open", "normal_quantiles", "1000000"), ("os.rename", "x.npz", "9")])
def test_ctrl_c(tmp_path: Path, event: str, word: str, n: str) -> None:
    """While the first latents are drawn, and once the file is complete but for its name."""
    script = f"""
import os, signal, sys
def interrupt(event, arguments):
    if event == {event!r} and {word!r} in str(arguments):
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(interrupt)
from mnistgen.__main__ import main
main()
"""
    command = [sys.executable, "-c", script, "sample", "-n", n, "-o", "x.npz"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "mnistgen: interrupted\n")
    assert not list(tmp_path.iterdir())
