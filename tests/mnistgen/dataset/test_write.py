"""Data sets have the same bytes on every call; unfinished ones are never published, and nothing else is removed."""

import hashlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen import Summary
from mnistgen.dataset.formats import FORMATS
from tests.conftest import contents

SHARDED = ("parquet", "webdataset")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Maker:
    """Writes small data sets with one seed and format."""

    def __init__(self, model: Path, format: str) -> None:  # noqa: A002 - what users call it
        self.wanted: dict[str, Any] = {"n": 130, "test": 20, "seed": 5, "shard_size": 20}
        self.wanted |= {"format": format, "model": model}

    def __call__(self, out: Path, **changes: Any) -> Summary:
        return mnistgen.write_dataset(out, **self.wanted | changes)


@pytest.fixture(params=FORMATS)
def make(request: pytest.FixtureRequest, conditional_model: Path) -> Maker:
    return Maker(conditional_model, request.param)


@pytest.fixture
def idx(conditional_model: Path) -> Maker:
    return Maker(conditional_model, "idx")


class TestSameBytes:
    def test_on_every_call_and_number_of_cpus(
        self, make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[tuple[int, int]] = []
        summary = make(tmp_path / "one", report=lambda *progress: done.append(progress))
        monkeypatch.setattr("mnistgen.dataset.write.usable_cpus", lambda: 5)
        make(tmp_path / "two")
        assert contents(tmp_path / "one") == contents(tmp_path / "two")
        assert {total for _, total in done} == {150}
        assert [count for count, _ in done] == sorted(count for count, _ in done)
        assert done[-1] == (150, 150)
        described = json.loads((tmp_path / "one" / "dataset.json").read_text())
        files = contents(tmp_path / "one")
        files.pop("dataset.json")
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        assert sums == described["files"] == summary.files
        assert {split: sum(counts) for split, counts in described["counts"].items()} == {"train": 130, "test": 20}
        assert described["counts"] == summary.counts
        assert described["sha256"] == mnistgen.card(self.model(make)).sha256

    @staticmethod
    def model(make: Maker) -> Path:
        return Path(make.wanted["model"])

    def test_default_model_with_any_number_of_cpus(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for cpus in (1, 3):
            monkeypatch.setattr("mnistgen.dataset.write.usable_cpus", lambda cpus=cpus: cpus)
            mnistgen.write_dataset(tmp_path / str(cpus), n=6000, test=0, seed=1)
        assert contents(tmp_path / "1") == contents(tmp_path / "3")

    @pytest.mark.parametrize("make", SHARDED, indirect=True)
    def test_separately_written_shards(self, make: Maker, tmp_path: Path) -> None:
        make(tmp_path / "whole")
        apart: dict[str, bytes] = {}
        for k, part in enumerate(({"n": 60, "test": 0}, {"start": 60, "n": 70, "test": 0}, {"n": 0, "test": 20})):
            make(tmp_path / str(k), **part)
            apart |= contents(tmp_path / str(k))
        whole = {name.split("-of-")[0]: content for name, content in contents(tmp_path / "whole").items()}
        found = {name.split("-of-")[0]: content for name, content in apart.items()}
        for described in ("dataset.json", "README.md"):
            whole.pop(described, None)
            found.pop(described, None)
        assert found == whole

    def test_slices(self, idx: Maker, tmp_path: Path) -> None:
        idx(tmp_path / "whole")
        idx(tmp_path / "slice", start=37, n=50)
        for name, head, size in (("train-images-idx3-ubyte", 16, 784), ("train-labels-idx1-ubyte", 8, 1)):
            whole, part = ((tmp_path / folder / "MNIST/raw" / name).read_bytes() for folder in ("whole", "slice"))
            assert part[head:] == whole[head:][37 * size : 87 * size]

    def test_weights(self, idx: Maker, tmp_path: Path) -> None:
        counts = idx(tmp_path / "some", digits=[1, 1, 1, 7], n=2000).counts["train"]
        assert (sum(counts), counts[1] + counts[7]) == (2000, 2000)
        assert 2.6 < counts[1] / counts[7] < 3.4
        assert idx(tmp_path / "same", digits={7: 1, 1: 3}, n=2000).counts["train"] == counts

    def test_one_handwriting_style(self, tmp_path: Path) -> None:
        style = mnistgen.latents(9)
        mnistgen.write_dataset(tmp_path / "same", n=100, test=0, seed=1, format="npz", style=style, spread=0)
        mnistgen.write_dataset(tmp_path / "near", n=100, test=0, seed=1, format="npz", style=style)
        number = mnistgen.number("0123456789", style=style).reshape(28, 10, 28).swapaxes(0, 1)
        errors = []
        for name in ("same", "near"):
            with np.load(tmp_path / name / "mnist.npz") as arrays:
                errors.append(np.abs(arrays["x_train"] - number[arrays["y_train"]].astype(int)).mean())
        assert errors[0] < 0.01 < errors[1] < 30


class TestOutputFolder:
    def test_existing_data_set_is_kept_until_the_new_one_is_complete(self, make: Maker, tmp_path: Path) -> None:
        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        make(tmp_path / "data")
        before = contents(tmp_path / "data")
        with pytest.raises(mnistgen.InputError, match="data: contains a data set; force=True replaces it"):
            make(tmp_path / "data")
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "data", seed=6, force=True, report=interrupt)
        assert contents(tmp_path) == {f"data/{name}": content for name, content in before.items()}
        make(tmp_path / "data", seed=6, force=True)
        make(tmp_path / "whole", seed=6)
        assert contents(tmp_path / "data") == contents(tmp_path / "whole") != before
        assert names(tmp_path) == ["data", "whole"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
    def test_an_error_between_the_two_renames(
        self, idx: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        idx(tmp_path / "data")
        before = contents(tmp_path)
        rename = Path.rename

        def fail(path: Path, target: Path) -> Path:
            if path.name == "new":
                raise error
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises((KeyboardInterrupt, mnistgen.OutputError)):
            idx(tmp_path / "data", seed=6, force=True)
        assert contents(tmp_path) == before

    def test_two_at_once(self, idx: Maker, tmp_path: Path) -> None:
        """The second to finish finds the folder taken."""
        first = threading.Thread(target=idx, args=(tmp_path / "data",))

        def race(done: int, total: int) -> None:
            if not first.ident:
                first.start()
                first.join()

        with pytest.raises(mnistgen.OutputError, match="data: another call has written it meanwhile"):
            idx(tmp_path / "data", seed=6, report=race)
        idx(tmp_path / "whole")
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")
        assert names(tmp_path) == ["data", "whole"]

    def test_an_empty_folder_and_a_link(self, idx: Maker, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "link").symlink_to("data")
        idx(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "data" / "dataset.json").is_file()
        assert (tmp_path / "data").stat().st_mode == tmp_path.parent.stat().st_mode | 0o055  # not private

    def test_other_files_are_never_removed(self, idx: Maker, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine")
        for force in (False, True):
            with pytest.raises(mnistgen.InputError, match="contains files but no data set; name a new or empty folder"):
                idx(tmp_path, force=force)
            with pytest.raises(mnistgen.OutputError, match=r"expected a folder, got a file"):
                idx(tmp_path / "thesis.txt", force=force)
        idx(tmp_path / "data")
        (tmp_path / "data" / "thesis.txt").write_text("mine")
        with pytest.raises(mnistgen.InputError, match=r"does not list \(thesis\.txt\); move them away"):
            idx(tmp_path / "data", force=True)
        assert names(tmp_path) == ["data", "thesis.txt"]

    def test_files_that_come_meanwhile_are_not_removed(self, idx: Maker, tmp_path: Path) -> None:
        idx(tmp_path / "data")
        notes = tmp_path / "data" / "notes.txt"
        with pytest.raises(mnistgen.InputError, match=r"does not list \(notes\.txt\); move them away"):
            idx(tmp_path / "data", force=True, report=lambda done, total: notes.touch())
        assert notes.exists()
        assert names(tmp_path) == ["data"]

    @pytest.mark.parametrize("content", ["{bad", "[1]", '{"files": 3}'])
    def test_a_manifest_of_something_else(self, idx: Maker, tmp_path: Path, content: str) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "dataset.json").write_text(content)
        with pytest.raises(mnistgen.InputError, match=r"its dataset\.json is not that of a data set"):
            idx(tmp_path / "data", force=True)

    def test_the_working_folder(self, idx: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(mnistgen.InputError, match="mounted or the working folder; name a folder in it"):
            idx(Path())

    @pytest.mark.parametrize(
        ("out", "error", "message"),
        [
            ("nowhere/data", mnistgen.OutputError, "nowhere does not exist; create it first"),
            (
                "s3://bucket/data",
                mnistgen.InputError,
                "expected a local folder; mnistgen.ray.digits(...).write_parquet",
            ),
            ("/sys/data", mnistgen.OutputError, "/sys/data: cannot be written ("),
        ],
    )
    def test_impossible_folders(self, idx: Maker, tmp_path: Path, out: str, error: Any, message: str) -> None:
        with pytest.raises(error) as caught:
            idx(out if "//" in out else tmp_path / out)  # type: ignore[arg-type]
        assert message in str(caught.value)
        assert not list(tmp_path.iterdir())

    def test_refused_before_anything_is_written(
        self, idx: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(
            mnistgen.InputError, match="format: expected one of idx, npz, png, parquet, webdataset, got"
        ):
            idx(tmp_path / "data", format="csv")
        with pytest.raises(mnistgen.InputError, match="thickness: model small has no attributes to choose"):
            idx(tmp_path / "data", thickness=2)
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(mnistgen.DependencyError, match="format parquet: needs pyarrow; pip install pyarrow"):
            idx(tmp_path / "data", format="parquet")
        assert not list(tmp_path.iterdir())
