"""Output folders: other files are never removed, access is exclusive, replacement is atomic."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import mnistgen
from mnistgen._dataset.build import write_dataset
from mnistgen._dataset.local import LocalStore
from tests.conftest import RunCli, assert_refused, contents


@pytest.fixture
def asked(conditional_model: Path) -> dict[str, Any]:
    return {"n": 50, "test": 10, "seed": 5, "format": "parquet", "shard_size": 20, "model": conditional_model}


class TestOtherFiles:
    @pytest.mark.parametrize("force", [False, True])
    @pytest.mark.parametrize("described", ["[]", "{}", "null", "{", "", '{"files": {"thesis.txt": ""}}', "[" * 10**5])
    def test_folder_with_unrelated_manifest(
        self, asked: dict[str, Any], tmp_path: Path, described: str, force: bool
    ) -> None:
        out = tmp_path / "data"
        out.mkdir()
        (out / "dataset.json").write_text(described)
        (out / "thesis.txt").write_text("mine")
        before = contents(tmp_path)
        with pytest.raises(mnistgen.InputError, match=r"contains files but no data set \(dataset.json: "):
            write_dataset(out, **asked, force=force)
        assert contents(tmp_path) == before

    @pytest.mark.parametrize("force", [False, True])
    def test_unlisted_files_are_kept(self, asked: dict[str, Any], tmp_path: Path, force: bool) -> None:
        out = tmp_path / "data"
        write_dataset(out, **asked)
        (out / "notes").mkdir()
        (out / "notes/thesis.txt").write_text("mine")
        before = contents(tmp_path)
        message = r"does not list \(notes/thesis.txt\); move them away" if force else r"contains a data set; force=True"
        with pytest.raises(mnistgen.InputError, match=message):
            write_dataset(out, **asked, force=force)
        assert contents(tmp_path) == before
        write_dataset(out, **asked, resume=True)  # removes nothing

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("files", {"../thesis.txt": "0" * 64}),
            ("files", {"thesis.txt": "0" * 64}),
            ("files", {"train-000000.parquet": "short"}),
            ("files", {}),
            ("files", None),
            ("counts", None),
            ("counts", {"train": [5] * 10, "test": [2] * 10}),
            ("counts", {"train": ["5"] * 10, "test": [1] * 10}),
            ("format", "idx"),
            ("seed", 1.5),
            ("n", 10**30),
            ("digits", [[]]),
            ("balance", "even"),
        ],
    )
    def test_implausible_manifests(self, asked: dict[str, Any], tmp_path: Path, field: str, value: object) -> None:
        out = tmp_path / "data"
        write_dataset(out, **asked)
        path = out / "dataset.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
        (tmp_path / "thesis.txt").write_text("mine")
        before = contents(tmp_path)
        for changes in ({"force": True}, {"resume": True}, {}):
            with pytest.raises(mnistgen.InputError, match=r"contains files but no data set \(dataset.json: .*expected"):
                write_dataset(out, **asked | changes)
        assert contents(tmp_path) == before

    def test_similarly_named_folders_are_kept(self, asked: dict[str, Any], tmp_path: Path) -> None:
        for name in (
            ".data.partial",
            ".data.mnistgen-old",
            ".data.mnistgen",
            ".data.mnistgen/data",
            ".data.mnistgen/ready-1",
        ):
            (tmp_path / name).mkdir()
            (tmp_path / name / "thesis.txt").write_text("mine")
        (tmp_path / ".data.mnistgen/progress").mkdir()
        (tmp_path / ".data.mnistgen/progress/thesis.txt").write_text("mine")
        before = contents(tmp_path)
        write_dataset(tmp_path / "data", **asked)
        write_dataset(tmp_path / "data", **asked, force=True)
        assert before.items() <= contents(tmp_path).items()

    @pytest.mark.parametrize("plan", [None, "{}"])
    def test_working_folder_of_other_origin(self, asked: dict[str, Any], tmp_path: Path, plan: str | None) -> None:
        work = tmp_path / ".data.mnistgen"
        (work / "data-1").mkdir(parents=True)
        (work / "data-1/thesis.txt").write_text("mine")
        if plan:
            (work / "progress").mkdir()
            (work / "progress/plan.json").write_text(plan)
        before = contents(tmp_path)
        for force in (False, True):
            with pytest.raises(mnistgen.InputError, match=r"data-1: contains unknown files \(thesis.txt\)"):
                write_dataset(tmp_path / "data", **asked, force=force)
        assert contents(tmp_path) == before

    def test_symlinks_are_followed(self, asked: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "link").symlink_to("disk/data")
        write_dataset(tmp_path / "link", **asked)
        write_dataset(tmp_path / "link", **asked, force=True)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "disk/data/dataset.json").is_file()

    def test_unlisted_objects_are_kept(self, asked: dict[str, Any], tmp_path: Path) -> None:
        import fsspec

        files, url = fsspec.filesystem("memory"), f"memory://{tmp_path.name}/data"
        write_dataset(url, **asked)
        files.pipe_file(f"{url}/thesis.txt", b"mine")
        with pytest.raises(mnistgen.InputError, match=r"does not list \(thesis.txt\)"):
            write_dataset(url, **asked, force=True)
        assert files.cat_file(f"{url}/thesis.txt") == b"mine"
        assert files.exists(f"{url}/dataset.json")


class TestLock:
    def test_second_run_names_owner(self, asked: dict[str, Any], tmp_path: Path) -> None:
        out = tmp_path / "data"
        write_dataset(out, **asked)
        refused: list[str] = []

        def meanwhile(done: int, total: int) -> None:
            for changes in ({}, {"force": True}, {"resume": True}):
                with pytest.raises(mnistgen.OutputError) as error:
                    write_dataset(out, **asked | changes)
                refused.append(str(error.value))

        write_dataset(out, **asked | {"seed": 6}, force=True, report=meanwhile)
        owner = f"{out}: process {os.getpid()} on {platform.node()}, since "
        assert refused
        assert all(line.startswith(owner) and "is writing to it; wait until" in line for line in refused)
        write_dataset(tmp_path / "other", **asked | {"seed": 6})
        assert contents(out) == contents(tmp_path / "other")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "other"]

    def test_concurrent_processes(self, asked: dict[str, Any], tmp_path: Path) -> None:
        """The result is that of one of the processes, whichever is first."""
        for seed in (1, 2):
            write_dataset(tmp_path / str(seed), **asked | {"seed": seed})
        script = f"""
import sys, mnistgen
try:
    mnistgen.write_dataset("data", n=50, test=10, seed=int(sys.argv[1]), format="parquet", shard_size=20, force=True,
                           model={str(asked["model"])!r})
except mnistgen.OutputError as error:
    sys.exit(str(error))
"""
        runs = [
            subprocess.Popen([sys.executable, "-c", script, seed], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
            for seed in ("1", "2")
        ]
        ends = [run.communicate()[1] for run in runs]
        assert all(run.returncode == 0 or "is writing to it" in end for run, end in zip(runs, ends, strict=True)), ends
        assert contents(tmp_path / "data") in (contents(tmp_path / "1"), contents(tmp_path / "2"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "data"]

    @pytest.mark.parametrize(
        ("owner", "ended"),
        [
            ({"pid": os.getpid(), "host": platform.node()}, False),
            ({"pid": 2**22 + 1, "host": platform.node()}, True),  # larger than any on Linux
            ({"pid": 1, "host": "elsewhere"}, False),
            ({"pid": 1, "host": "elsewhere", "renewed": 0.0}, True),
            ({"pid": "x\n"}, True),
        ],
    )
    def test_object_store_lock(self, asked: dict[str, Any], tmp_path: Path, owner: dict[str, Any], ended: bool) -> None:
        import fsspec

        files, url = fsspec.filesystem("memory"), f"memory://{tmp_path.name}/data"
        content = json.dumps({"renewed": time.time()} | owner).encode()
        files.pipe_file(f"{url}/.progress/owner.json", content)
        if ended:
            write_dataset(url, **asked)
            assert not files.exists(f"{url}/.progress")
        else:
            who = f"process {owner['pid']} on {owner['host']} is writing to it; wait until it ends, or"
            with pytest.raises(mnistgen.OutputError, match=who):
                write_dataset(url, **asked)
            assert files.cat_file(f"{url}/.progress/owner.json") == content

    def test_lost_lock_prevents_publishing(self, asked: dict[str, Any], tmp_path: Path) -> None:
        import fsspec

        files, url = fsspec.filesystem("memory"), f"memory://{tmp_path.name}/data"

        def take(done: int, total: int) -> None:
            owner = {"pid": 7, "host": "elsewhere", "token": "another", "renewed": time.time()}
            files.pipe_file(f"{url}/.progress/owner.json", json.dumps(owner).encode())

        with pytest.raises(mnistgen.OutputError, match="process 7 on elsewhere has taken it over; nothing was publ"):
            write_dataset(url, **asked, report=take)
        assert not files.exists(f"{url}/dataset.json")


class TestReplacing:
    def test_failed_removal_only_warns(
        self, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "data"
        write_dataset(out, **asked)
        real = Path.unlink

        def unlink(path: Path, missing_ok: bool = False) -> None:
            if "old-" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            real(path, missing_ok)

        with monkeypatch.context() as context:
            context.setattr(Path, "unlink", unlink)
            for _ in range(2):
                with pytest.warns(RuntimeWarning, match=r"not removed .*/.data.mnistgen/old-\w+: Permission denied"):
                    write_dataset(out, **asked, force=True)
        assert (out / "dataset.json").is_file()
        write_dataset(out, **asked, force=True)
        assert [path.name for path in tmp_path.iterdir()] == ["data"]

    def test_without_replacing_open_files(
        self, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on Windows, which can neither exchange folders nor rename one to an existing name."""
        for name in ("_files", "_dataset.local"):
            monkeypatch.setattr(f"mnistgen.{name}.WINDOWS", True)
        monkeypatch.setattr("os.sync", None)
        monkeypatch.delattr("os.sync")
        for name in ("replace", "unlink"):
            monkeypatch.setattr(Path, name, refusing_open_files(getattr(Path, name)))
        for form in ("idx", "npz", "parquet"):
            out = tmp_path / form
            write_dataset(out, **asked | {"format": form})
            write_dataset(out, **asked | {"format": form, "seed": 6}, force=True)
            assert json.loads((out / "dataset.json").read_bytes())["seed"] == 6
            assert b"\r" not in (out / "dataset.json").read_bytes()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["idx", "npz", "parquet"]

    def test_mount_point_as_output(
        self, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "data")
        with pytest.raises(mnistgen.InputError, match="is a mount point, which cannot be replaced"):
            write_dataset(tmp_path / "data", **asked)


def refusing_open_files(real: Any) -> Any:
    def call(path: Path, *arguments: Any, **options: Any) -> Any:
        opened = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
        for one in (path, *arguments):
            if any(Path(other).is_relative_to(one) for other in opened if isinstance(one, Path)):
                raise PermissionError(13, "The process cannot access the file", str(one))
        if arguments and Path(arguments[0]).is_dir():
            raise PermissionError(13, "Access is denied", str(arguments[0]))
        return real(path, *arguments, **options)

    return call


class TestResume:
    def test_missing_or_changed_file_in_finished_data_set(self, asked: dict[str, Any], tmp_path: Path) -> None:
        out = tmp_path / "data"
        write_dataset(out, **asked)
        whole = contents(out)
        assert write_dataset(out, **asked, resume=True).files == 4
        (out / "train-000001.parquet").unlink()
        (out / "test-000000.parquet").write_bytes(b"x")
        with pytest.raises(mnistgen.OutputError, match=r"\(train-000001.parquet, test-000000.parquet\); force=True"):
            write_dataset(out, **asked, resume=True)
        write_dataset(out, **asked, force=True)
        assert contents(out) == whole

    @pytest.mark.parametrize("damage", ["truncate", "append", "flip", "remove"])
    @pytest.mark.parametrize("form", ["idx", "npz", "parquet"])
    def test_damaged_shards_are_rewritten(self, asked: dict[str, Any], tmp_path: Path, form: str, damage: str) -> None:
        asked["format"] = form
        write_dataset(tmp_path / "whole", **asked)
        interrupted(tmp_path / "data", asked)
        work = tmp_path / ".data.mnistgen"
        path = max((file for file in work.rglob("*") if "x" in file.name or "train" in file.name), key=size_of)
        content = path.read_bytes()
        damaged = {
            "truncate": content[:9000],
            "append": content + b"x",
            "flip": content[:900] + b"\xff" + content[901:],
        }
        if damage == "remove":
            path.unlink()
        else:
            path.write_bytes(damaged[damage])
        write_dataset(tmp_path / "data", **asked, resume=True)
        assert contents(tmp_path / "data") == contents(tmp_path / "whole")

    def test_invalid_record(self, asked: dict[str, Any], tmp_path: Path) -> None:
        write_dataset(tmp_path / "whole", **asked)
        for content in ("[]", "[0, [], []]", '[0, [20,0,0,0,0,0,0,0,0,0], [["../../x", null, 1, ""]]]', "[" * 10**5):
            interrupted(tmp_path / "data", asked)
            (tmp_path / ".data.mnistgen/progress/000000000000.jsonl").write_text(content)
            write_dataset(tmp_path / "data", **asked, resume=True)
            assert contents(tmp_path / "data") == contents(tmp_path / "whole")
            write_dataset(tmp_path / "data", **asked | {"seed": 6}, force=True)
            LocalStore(tmp_path / "data").clear()

    def test_workers_of_earlier_run_are_ignored(self, asked: dict[str, Any], tmp_path: Path) -> None:
        asked["format"] = "idx"
        interrupted(tmp_path / "data", asked)
        (orphaned,) = tmp_path.glob(".data.mnistgen/data-*")
        with pytest.raises(KeyboardInterrupt):
            write_dataset(tmp_path / "data", **asked, resume=True, report=stop)
        assert not orphaned.exists()


def stop(done: int, total: int) -> None:
    raise KeyboardInterrupt


def size_of(path: Path) -> int:
    return path.stat().st_size


def interrupted(out: Path, asked: dict[str, Any], **changes: Any) -> None:
    """A call that is interrupted midway."""

    def interrupt(done: int, total: int) -> None:
        if done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(out, **asked, **changes, report=interrupt)


class TestNames:
    def test_longest_possible_name(self, asked: dict[str, Any], tmp_path: Path) -> None:
        for name in ("x" * 255, "é" * 127):
            write_dataset(tmp_path / name, **asked)
            write_dataset(tmp_path / name, **asked, force=True)
            assert (tmp_path / name / "dataset.json").is_file()
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize(
        ("out", "message"),
        [
            ("a\0b", "a\\x00b: expected a valid folder name ("),
            ("s3://", "s3://: expected the URL of a folder, such as s3://bucket/folder"),
            ("memory://", "memory://: expected the URL of a folder"),
            ("reference://", "reference://: "),
            ("hf://", "hf://: "),
            (7, "out: expected the path of a folder or a URL, got 7"),
        ],
    )
    def test_invalid_names(self, asked: dict[str, Any], out: Any, message: str) -> None:
        if package := {"s3://": "s3fs", "hf://": "huggingface_hub"}.get(out):
            pytest.importorskip(package)
        with pytest.raises(mnistgen.InputError) as error:
            write_dataset(out, **asked)
        assert str(error.value).startswith(message)
        assert str(error.value).isprintable()

    def test_fifo_as_manifest(self, asked: dict[str, Any], tmp_path: Path) -> None:
        out = tmp_path / "data"
        out.mkdir()
        os.mkfifo(out / "dataset.json")
        with pytest.raises(mnistgen.OutputError, match="not a regular file"):
            write_dataset(out, **asked)


def test_insufficient_disk_space_fails_early(asked: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        mnistgen.OutputError, match=r"data: needs at least 57,000,[\d,]+ bytes, but only [\d,]+ are free"
    ):
        write_dataset(tmp_path / "data", **asked | {"n": 10**18})
    assert not list(tmp_path.iterdir())


def test_insufficient_disk_space_in_command(run_cli: RunCli, asked: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/dataset.json").write_text("[]")
    outcome = run_cli("dataset", "--out", tmp_path / "data", "--model", asked["model"], "--n", 10)
    assert_refused(outcome, 2, "contains files but no data set", "name a new or empty folder")
