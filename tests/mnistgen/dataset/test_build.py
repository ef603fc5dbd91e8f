"""Data sets have the same bytes for any number of workers and resumes; unfinished ones are never published."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._dataset import local
from mnistgen._dataset.build import Summary, write_dataset
from mnistgen._dataset.formats import FORMATS
from mnistgen._files import exchange
from tests.conftest import contents

Files = dict[str, bytes]


SHARDED = [name for name in FORMATS if name not in ("idx", "npz")]


class Maker:
    """Writes small data sets with one seed and format."""

    def __init__(self, model: Path, format: str) -> None:  # noqa: A002 - what users call it
        self.arguments: dict[str, Any] = {
            "n": 130,
            "test": 20,
            "seed": 5,
            "format": format,
            "model": model,
            "shard_size": 20,
        }

    def __call__(self, out: Path, **changes: Any) -> Summary:
        return write_dataset(out, **self.arguments | changes)

    def killed(self, out: Path, after: int, **changes: Any) -> None:
        """A call that is interrupted after at least this number of images."""

        def interrupt(done: int, total: int) -> None:
            if done >= after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self(out, **changes, report=interrupt)


@pytest.fixture(params=FORMATS)
def make(request: pytest.FixtureRequest, conditional_model: Path) -> Maker:
    return Maker(conditional_model, request.param)


@pytest.fixture
def idx(conditional_model: Path) -> Maker:
    return Maker(conditional_model, "idx")


class TestReproducible:
    def test_repeated_calls(self, make: Maker, tmp_path: Path) -> None:
        make(tmp_path / "one")
        make(tmp_path / "two")
        assert contents(tmp_path / "one") == contents(tmp_path / "two")

    def test_two_workers(self, idx: Maker, tmp_path: Path) -> None:
        done: list[tuple[int, int]] = []
        idx(tmp_path / "one")
        idx(tmp_path / "two", workers=2, report=lambda *so_far: done.append(so_far))
        assert contents(tmp_path / "one") == contents(tmp_path / "two")
        assert [total for _, total in done] == [150] * 9
        assert [count for count, _ in done] == sorted(count for count, _ in done)
        assert done[-1] == (150, 150)

    def test_one_worker_per_cpu(self, idx: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mnistgen._dataset.build.usable_cpus", lambda: 2)
        idx(tmp_path / "one")
        idx(tmp_path / "all", workers=-1)
        assert contents(tmp_path / "one") == contents(tmp_path / "all")

    @pytest.mark.parametrize("make", SHARDED, indirect=True)
    def test_separately_written_shards(self, make: Maker, tmp_path: Path) -> None:
        make(tmp_path / "whole")
        apart: Files = {}
        for k, slice_ in enumerate(({"n": 60, "test": 0}, {"start": 60, "n": 70, "test": 0}, {"n": 0, "test": 20})):
            make(tmp_path / str(k), **slice_)
            apart |= contents(tmp_path / str(k))
        whole = contents(tmp_path / "whole")
        for described in ("dataset.json", "README.md"):
            whole.pop(described, None)
            apart.pop(described, None)
        assert apart == whole

    def test_slices(self, idx: Maker, tmp_path: Path) -> None:
        idx(tmp_path / "whole")
        idx(tmp_path / "slice", start=37, n=50)
        for name, head, size in (("train-images-idx3-ubyte", 16, 784), ("train-labels-idx1-ubyte", 8, 1)):
            whole, part = ((tmp_path / folder / "MNIST/raw" / name).read_bytes() for folder in ("whole", "slice"))
            assert part[head:] == whole[head:][37 * size : 87 * size]

    def test_digits_and_balance(self, idx: Maker, tmp_path: Path) -> None:
        counts = idx(tmp_path / "some", digits=[3, 5], n=2000).counts["train"]
        assert sum(counts) == 2000
        assert [digit for digit, count in enumerate(counts) if count] == [3, 5]
        counts = idx(tmp_path / "mnist", digits=[1, 5], n=2000, balance="mnist").counts["train"]
        assert 1.0 < counts[1] / counts[5] < 1.6  # 1.24 in MNIST


class TestResume:
    @pytest.mark.parametrize("after", [1, 70, 150])
    def test_resume_gives_same_bytes(self, make: Maker, tmp_path: Path, after: int) -> None:
        make(tmp_path / "whole")
        make.killed(tmp_path / "data", after)
        assert not (tmp_path / "data").exists()
        started: list[int] = []
        summary = make(tmp_path / "data", resume=True, report=lambda done, total: started.append(done))
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")
        assert summary.counts == make(tmp_path / "again").counts
        assert started[0] > 0
        assert started[-1] == 150
        assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "data", "whole"]

    def test_resume_after_sigkill(self, idx: Maker, conditional_model: Path, tmp_path: Path) -> None:
        script = f"""
import os, signal
from mnistgen import write_dataset
def kill(done, total):
    if done >= 60:
        os.kill(os.getpid(), signal.SIGKILL)
write_dataset("data", n=130, test=20, seed=5, shard_size=20, model={str(conditional_model)!r}, report=kill)
"""
        killed = subprocess.run([sys.executable, "-c", script], cwd=tmp_path)
        assert killed.returncode == -signal.SIGKILL
        assert not (tmp_path / "data").exists()
        idx(tmp_path / "data", resume=True)
        idx(tmp_path / "whole")
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")

    @pytest.mark.parametrize("one_step", [True, False])
    def test_interruption_in_final_steps(
        self, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_step: bool
    ) -> None:
        """Interrupt the process at each call that moves or removes files, one after the other."""
        make(tmp_path / "whole")
        make(tmp_path / "data", seed=6)
        before = contents(tmp_path / "data")
        make.killed(tmp_path / "data", 70, force=True)
        survived = 0
        finished = False
        while not finished and survived < 40:
            calls: list[str] = []

            def dying(name: str, real: Any) -> Any:
                def call(*arguments: Any, **options: Any) -> Any:
                    calls.append(name)  # noqa: B023
                    if len(calls) > survived:  # noqa: B023
                        raise KeyboardInterrupt
                    return real(*arguments, **options)

                return call

            with monkeypatch.context() as context:
                context.setattr(local, "exchange", dying("exchange", exchange if one_step else lambda *_: False))
                context.setattr(Path, "replace", dying("replace", Path.replace))
                context.setattr(Path, "unlink", dying("unlink", Path.unlink))
                context.setattr(Path, "rmdir", dying("rmdir", Path.rmdir))
                try:
                    make(tmp_path / "data", resume=True)
                    finished = True
                except KeyboardInterrupt:
                    survived += 1
            if one_step:
                assert contents(tmp_path / "data") in (before, contents(tmp_path / "whole"))
        assert survived > 3
        make(tmp_path / "data", resume=True)
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "whole"]

    def test_truncated_records_are_rewritten(self, idx: Maker, tmp_path: Path) -> None:
        idx(tmp_path / "whole")
        idx.killed(tmp_path / "data", 70)
        record = sorted((tmp_path / ".data.mnistgen/progress").glob("0*.jsonl"))[1]
        record.write_bytes(record.read_bytes()[:-5])
        idx(tmp_path / "data", resume=True)
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")

    def test_replacing_finished_data_set(self, idx: Maker, tmp_path: Path) -> None:
        idx(tmp_path / "data")
        idx.killed(tmp_path / "data", 70, seed=6, force=True)
        idx(tmp_path / "data", seed=6, resume=True)
        idx(tmp_path / "whole", seed=6)
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")

    def test_resume_uses_original_seed(self, idx: Maker, tmp_path: Path) -> None:
        idx.killed(tmp_path / "data", 70)
        assert idx(tmp_path / "data", seed=None, resume=True).plan.seed == 5
        assert idx(tmp_path / "data", seed=None, resume=True).plan.seed == 5  # already complete

    def test_requires_resume_or_force(self, idx: Maker, tmp_path: Path) -> None:
        idx.killed(tmp_path / "data", 70)
        with pytest.raises(mnistgen.InputError, match=r"contains an unfinished data set; resume=True continues it"):
            idx(tmp_path / "data")
        with pytest.raises(mnistgen.InputError, match="was started with n 130, seed 5; pass the same arguments"):
            idx(tmp_path / "data", seed=6, n=100, resume=True)
        idx(tmp_path / "data", seed=6, force=True)
        idx(tmp_path / "whole", seed=6)
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")


class TestOutputFolder:
    def test_existing_data_set_is_kept_until_new_one_is_complete(self, idx: Maker, tmp_path: Path) -> None:
        idx(tmp_path / "data")
        before = contents(tmp_path / "data")
        with pytest.raises(mnistgen.InputError, match="contains a data set; force=True"):
            idx(tmp_path / "data")
        idx.killed(tmp_path / "data", 70, seed=6, force=True)
        assert contents(tmp_path / "data") == before
        idx(tmp_path / "data", seed=6, force=True)
        assert contents(tmp_path / "data") != before
        assert [path.name for path in tmp_path.iterdir()] == ["data"]

    def test_empty_folder_is_accepted(self, idx: Maker, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        idx(tmp_path / "data")

    def test_other_folders_are_never_removed(self, idx: Maker, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        for changes in ({}, {"force": True}, {"resume": True}):
            with pytest.raises(mnistgen.InputError, match="contains files but no data set"):
                idx(tmp_path, **changes)
            with pytest.raises(mnistgen.OutputError, match="expected a folder, got a file"):
                idx(tmp_path / "thesis.txt", **changes)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_parent_folder_must_exist(self, idx: Maker, tmp_path: Path) -> None:
        with pytest.raises(mnistgen.OutputError, match=r"nowhere does not exist; create it first"):
            idx(tmp_path / "nowhere/data")

    def test_removed_folder_is_one_line_error(self, make: Maker, tmp_path: Path) -> None:
        def lose(done: int, total: int) -> None:
            shutil.rmtree(tmp_path / ".data.mnistgen", ignore_errors=True)

        with pytest.raises(mnistgen.OutputError, match=r"data: cannot be written \(No such file or directory"):
            make(tmp_path / "data", report=lose)
        assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "csv"}, "format: expected one of idx, npz, png, parquet, webdataset, hf, got 'csv'"),
        ({"workers": 0}, "workers: expected a whole number, 1 or more, or -1 for all CPUs, got 0"),
        ({"workers": -2}, "workers: expected a whole number, -1 or more, got -2"),
        ({"shard_size": 0}, "shard_size: expected a whole number, 1 or more, got 0"),
        ({"engine": "steam"}, "engine: expected one of local, ray, got 'steam'"),
        ({"engine": ["ray"]}, "engine: expected one of local, ray, got ['ray']"),
        ({"balance": np.zeros(2)}, "balance: expected one of uniform, mnist, got array([0., 0.])"),
        ({"force": np.zeros(2)}, "force: expected True or False, got array([0., 0.])"),
        ({"resume": 1}, "resume: expected True or False, got 1"),
        ({"n": 10**5000}, "n: expected a whole number, at most 2000000000000000000, got an object of type int"),
        ({"resume": True, "force": True}, "resume=True continues and force=True starts over; pass only one of them"),
        ({"out": "nowhere://bucket/data"}, "nowhere://bucket/data: ValueError: Protocol not known: nowhere"),
    ],
)
def test_invalid_arguments(arguments: dict[str, Any], message: str, conditional_model: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"out": tmp_path / "data", "model": conditional_model, "seed": 1} | arguments
    with pytest.raises(mnistgen.InputError) as error:
        write_dataset(**asked)
    assert str(error.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_missing_ray_writes_nothing(conditional_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(mnistgen.DependencyError, match=r'ray: is not installed; pip install "mnistgen\[ray\]"'):
        write_dataset(tmp_path / "data", seed=1, model=conditional_model, engine="ray")
    assert not list(tmp_path.iterdir())
