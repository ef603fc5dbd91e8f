"""Generators with threads, pickling, spawned and forked processes, and at interpreter exit."""

import json
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
from mnistgen._lifetime import EXIT_TIMEOUT
from tests.mnistgen.conftest import near


class TestProcesses:
    def test_threads_share_generator(self, generator: mnistgen.Generator) -> None:
        expected = generator.sample(800, seed=2)
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(lambda start: generator.sample(50, seed=2, start=start), range(0, 800, 50)))
        assert near(np.concatenate(parts), expected)

    def test_unpickling_reopens_model(self, conditional_model: Path) -> None:
        generator = mnistgen.Generator(conditional_model, device="cpu", threads=2)
        copy = pickle.loads(pickle.dumps(generator))  # noqa: S301 - our own bytes
        assert (copy.device, copy.threads, copy.card) == ("cpu", 2, generator.card)
        assert near(copy.sample(9, seed=1), generator.sample(9, seed=1))

    def test_spawned_processes_match(self, conditional_model: Path) -> None:
        generator = mnistgen.Generator(conditional_model, threads=1)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            images = pool.apply(generator.sample, (20,), {"seed": 3})
        assert near(images, generator.sample(20, seed=3))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
    def test_forked_children_sample_and_exit(self, conditional_model: Path) -> None:
        """Children that sample, and children that only inherit the generator, exit without hanging on lost threads."""
        script = f"""
import os, sys, mnistgen
generator = mnistgen.Generator({str(conditional_model)!r}, threads=3)
expected = generator.sample(300, seed=1)
for child_samples in (True, False):
    child = os.fork()
    if child == 0:
        if child_samples:
            images = generator.sample(300, seed=1)
            assert (abs(images.astype(int) - expected) <= 1).all()
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
    def test_fork_during_sampling_in_daemon_thread(self) -> None:
        """The child waits neither for its parent's running call nor for a lock that the parent held."""
        run(f"""
import os, sys
{DRAWING}
child = os.fork()
if child == 0:
    generator.sample(3)
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
""")


# Four daemon threads that spend nearly all of their time in the network.
DRAWING = """
import threading, mnistgen
generator = mnistgen.Generator("dcgan", device="cpu", threads=1)
drawn = threading.Semaphore(0)
def draw_for_ever():
    while True:
        generator.sample(8, seed=1)
        drawn.release()
for _ in range(4):
    threading.Thread(target=draw_for_ever, daemon=True).start()
for _ in range(4):
    drawn.acquire()
"""


def run(script: str, *arguments: object) -> str:
    """Run a script in a new process, which must succeed before the timeout for running calls; return its output."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, timeout=0.9 * EXIT_TIMEOUT, stdout=subprocess.PIPE, text=True).stdout


class TestExit:
    """Interpreter exit, which would abort while a daemon thread is inside onnxruntime."""

    def test_daemon_threads_sampling(self) -> None:
        run(DRAWING)

    def test_sampling_in_atexit_handler(self) -> None:
        script = f"""
import atexit
atexit.register(lambda: print(generator.sample(3).shape))
{DRAWING}
atexit.register(lambda: print(generator.sample(2).shape))
"""
        assert run(script) == "(2, 28, 28)\n(3, 28, 28)\n"

    def test_daemon_threads_opening_models(self) -> None:
        run(DRAWING.replace("generator.sample(8, seed=1)", "mnistgen.Generator('dcgan', device='cpu', threads=1)"))


def test_system_without_fork_affinity_and_limits(conditional_model: Path) -> None:
    """As on Windows and, in part, on macOS."""
    script = """
import os, sys
for name in {"fork", "register_at_fork", "sched_getaffinity"} & set(dir(os)):
    delattr(os, name)
sys.modules["resource"] = None

if __name__ == "__main__":
    import mnistgen
    from mnistgen._doctor import examine
    from mnistgen._trial import run
    generator = mnistgen.Generator(sys.argv[1])
    assert 1 <= generator.threads <= os.cpu_count()
    print(generator.sample(3).shape)
    assert all(finding.status != "wrong" for finding in examine())
    run(sys.argv[1], 60, 2**32)
"""
    lines = run(script, conditional_model).splitlines()
    assert lines[0] == "(3, 28, 28)"
    assert [json.loads(line)["status"] for line in lines[1:]] == ["ok"] * 3
