"""One generator in many threads, pickled, spawned and forked."""

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
from tests.mnistgen.conftest import near


class TestProcesses:
    def test_many_threads_share_one_generator(self, generator: mnistgen.Generator) -> None:
        expected = generator.sample(800, seed=2)
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(lambda start: generator.sample(50, seed=2, start=start), range(0, 800, 50)))
        assert near(np.concatenate(parts), expected)

    def test_pickle_opens_it_again(self, conditional_model: Path) -> None:
        generator = mnistgen.Generator(conditional_model, device="cpu", threads=2)
        copy = pickle.loads(pickle.dumps(generator))  # noqa: S301 - our own bytes
        assert (copy.device, copy.threads, copy.card) == ("cpu", 2, generator.card)
        assert near(copy.sample(9, seed=1), generator.sample(9, seed=1))

    def test_spawned_processes_make_what_one_makes(self, conditional_model: Path) -> None:
        generator = mnistgen.Generator(conditional_model, threads=1)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            images = pool.apply(generator.sample, (20,), {"seed": 3})
        assert near(images, generator.sample(20, seed=3))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
    def test_forked_children_sample_and_end(self, conditional_model: Path) -> None:
        """Both a child that samples and one that only inherits end as they should, without hanging on lost threads."""
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
