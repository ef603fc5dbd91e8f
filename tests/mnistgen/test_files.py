"""Atomic writes, and reading of regular files only."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mnistgen._errors import InputError, plain, shown
from mnistgen._files import exchange, open_owned, read_file, whole_file


def write(path: Path, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)


class TestAtomicWrite:
    def test_writes_through_symlink(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("target")
        for content in (b"new", b"newer"):
            write(tmp_path / "link", content)
            assert (tmp_path / "link").is_symlink()
            assert (tmp_path / "target").read_bytes() == content

    def test_keeps_mode(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        write(path, b"one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask()
        path.chmod(0o640)
        write(path, b"two")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    @pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "\udcff.png"])
    def test_unusual_names(self, tmp_path: Path, name: str) -> None:
        write(tmp_path / name, b"content")
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_failure_keeps_old_file(self, tmp_path: Path) -> None:
        write(tmp_path / "file", b"old")
        with pytest.raises(TypeError), whole_file(tmp_path / "file") as file:
            file.writelines([b"new", None])  # type: ignore[list-item]
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]

    def test_removes_leftovers_of_killed_processes(self, tmp_path: Path) -> None:
        script = """
import os, signal
from pathlib import Path
from mnistgen._files import whole_file
with whole_file(Path("file")) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
        assert subprocess.run([sys.executable, "-c", script], cwd=tmp_path).returncode == -signal.SIGKILL
        (left,) = tmp_path.iterdir()
        write(tmp_path / "another", b"whole")
        assert left.exists()
        write(tmp_path / "file", b"whole")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "file"]

    def test_concurrent_writers(self, tmp_path: Path) -> None:
        with whole_file(tmp_path / "file") as first:
            first.write(b"first")
            with whole_file(tmp_path / "file") as second:
                second.write(b"second")
            assert (tmp_path / "file").read_bytes() == b"second"
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]

    def test_without_replacing_open_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on Windows."""
        real = Path.replace

        def replace(path: Path, target: Path) -> Path:
            if path in {link.resolve() for link in Path("/proc/self/fd").iterdir()}:
                raise PermissionError(13, "The process cannot access the file")
            return real(path, target)

        monkeypatch.setattr(Path, "replace", replace)
        monkeypatch.setattr("mnistgen._files.WINDOWS", True)
        write(tmp_path / "file", b"one")
        write(tmp_path / "file", b"two")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"two"]

    def test_without_file_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def flock(*arguments: object) -> None:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr("fcntl.flock", flock)
        write(tmp_path / "file", b"content")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"content"]


class TestReadFile:
    def test_size_limit(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"12345")
        assert read_file(tmp_path / "file", 5) == b"12345"
        with pytest.raises(OSError, match="larger than 4 bytes"):
            read_file(tmp_path / "file", 4)

    def test_only_regular_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
            with pytest.raises(OSError, match="a folder" if path == tmp_path else "not a regular file"):
                read_file(path, 5)
        with pytest.raises(OSError, match="embedded null"):
            read_file(Path("a\0b"), 5)


def test_lock_is_exclusive(tmp_path: Path) -> None:
    with open_owned(tmp_path / "lock"), pytest.raises(BlockingIOError):
        open_owned(tmp_path / "lock")
    open_owned(tmp_path / "lock").close()


def test_swap_folders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)
    assert exchange(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one/name").read_text() == "two"
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "three")


def test_messages_are_one_printable_line() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    assert str(InputError("a\n\x1b[31mb\u202e")) == r"a\n\x1b[31mb\u202e"
    assert str(InputError("x" * 5000 + " cannot be read")) == "x" * 500 + "…" + "x" * 484 + " cannot be read"
    assert plain("é\r" + "x" * 400) == r"é\r" + "x" * 296 + "…"
    assert shown(10**5000) == "an object of type int"
    assert shown(Broken()) == "an object of type Broken"
    assert shown("x" * 200) == "'" + "x" * 98 + "…"


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
