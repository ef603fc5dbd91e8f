"""Files that are written whole or not at all, and one-line messages."""

import os
import stat
from pathlib import Path

import pytest

from mnistgen import InputError, OutputError
from mnistgen._errors import plain, shown
from mnistgen._files import whole_file


def write(path: Path, content: bytes) -> None:
    with whole_file(path) as file:
        file.write(content)


def test_writes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    for content in (b"new", b"newer"):
        write(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_bytes() == content


def test_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    mask = os.umask(0o027)
    try:
        write(path, b"one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(mask)
    path.chmod(0o604)
    write(path, b"two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "a\nb\x1b[2J"])
def test_unusual_names(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, b"content")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    write(tmp_path / "file", b"old")
    with pytest.raises(TypeError), whole_file(tmp_path / "file") as file:
        file.writelines([b"new", None])  # type: ignore[list-item]
    with pytest.raises(OutputError, match="cannot be written"), whole_file(tmp_path / "file" / "below") as file:
        pass
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_two_writers(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file") as first:
        first.write(b"first")
        write(tmp_path / "file", b"second")
        assert (tmp_path / "file").read_bytes() == b"second"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_messages_are_one_printable_line() -> None:
    assert str(InputError("a\n\x1b[31mb\u202e")) == r"a\n\x1b[31mb\u202e"
    assert str(InputError("x" * 5000 + " cannot be read")) == "x" * 500 + "…" + "x" * 484 + " cannot be read"
    assert plain("é\r" + "x" * 400) == r"é\r" + "x" * 296 + "…"
    assert shown("x" * 200) == "'" + "x" * 98 + "…"
