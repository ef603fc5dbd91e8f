"""Output files of pictures and arrays: unusual names, symlinks and invalid targets."""

import os
import socket
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

import mnistgen
from mnistgen._animation import write_animation
from mnistgen._formats import write_picture
from mnistgen._reproduce import reproduce
from tests.conftest import RunCli, assert_refused

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, modes and names of POSIX")

PICTURE = np.arange(784, dtype=np.uint8).reshape(28, 28)
BYTES = pytest.param(
    os.fsdecode(b"\xff\xfe"), marks=pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
)
COMMANDS = {
    "grid.png": ("sample", "--n", 2),
    "digits.npz": ("sample", "--n", 2),
    "number.png": ("write", "7"),
    "walk.gif": ("interpolate", "--from", 3, "--to", 8, "--frames", 2),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_writes_through_symlink_and_keeps_mode(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, name: str
) -> None:
    target, link = tmp_path / "elsewhere" / "target", tmp_path / name
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o604)
    link.symlink_to(target)
    outcome = run_cli(*COMMANDS[name], "--model", conditional_model, "--seed", 1, "--out", link)
    assert (outcome.code, outcome.err) == (0, "")
    assert link.is_symlink()
    assert target.read_bytes() != b"old"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert list(target.parent.iterdir()) == [target]


def test_dangling_symlink_creates_target(tmp_path: Path) -> None:
    link, target = tmp_path / "a.png", tmp_path / "b.png"
    link.symlink_to(target)
    write_picture(link, PICTURE)
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 125 + "x", "a\nb\x1b[2J", BYTES])
def test_unusual_names(run_cli: RunCli, conditional_model: Path, tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.png"
    outcome = run_cli("sample", "--n", 2, "--model", conditional_model, "--out", path)
    assert (outcome.code, outcome.err) == (0, "")
    outcome = run_cli("reproduce", path, "--model", conditional_model, "--out", path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("\n") == 1
    assert outcome.out[:-1].isprintable()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("x" * 252 + ".png", 1, "cannot be written (File name too long)"),
        ("loop.png", 1, "cannot be written (Too many levels of symbolic links)"),
        ("file/a.png", 1, "the folder"),
        ("fifo.png", 1, "expected a regular file, got a FIFO, a device or a socket; name another file"),
        ("socket.png", 1, "expected a regular file"),
        ("null.png", 1, "expected a regular file"),
    ],
)
@pytest.mark.parametrize("command", ["write", "reproduce"])
def test_only_regular_files(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str, code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop.png").symlink_to("loop.png")
    Path("null.png").symlink_to(os.devnull)
    os.mkfifo("fifo.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        before = sorted(tmp_path.iterdir())
        if command == "write":  # fails before generating digits
            monkeypatch.delattr(mnistgen.Generator, "number")
            assert_refused(run_cli("write", "7", "--out", name), code, words)
        else:
            assert_refused(run_cli("reproduce", name), 2, "cannot be read (")
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "--out", "a.png", "--n", 10**12),
        ("sample", "--out", "a.png", "--scale", 1000),
        ("sample", "--out", "-", "--scale", 1000),
        ("write", "2026", "--out", "a.png", "--scale", 1000),
        ("interpolate", "--out", "a.gif", "--frames", 10_000_000_000),
        ("interpolate", "--out", "a.webp", "--scale", 1000),
        ("walk", "--out", "a.png", "--rows", 10_000, "--columns", 10_000),
    ],
)
def test_picture_size_limit_fails_early(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for method in ("sample", "number", "interpolate", "walk"):
        monkeypatch.delattr(mnistgen.Generator, method)
    outcome = run_cli(*arguments)
    assert_refused(outcome, 2, "picture: expected at most 67,108,864 pixels in total, got ", "or a smaller scale")


def test_arrays_have_no_size_limit(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    assert run_cli("sample", "--n", 2, "--scale", 10_000, "--model", conditional_model, "--out", path).code == 0
    assert np.load(path).shape == (2, 28, 28)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_impossible_names(name: str) -> None:
    with pytest.raises(mnistgen.InputError, match="expected a valid file name"):
        write_picture(Path(f"{name}.png"), PICTURE)
    with pytest.raises(mnistgen.InputError, match="expected a valid file name"):
        write_animation(Path(f"{name}.gif"), PICTURE[None])
    for ending in (".png", ".gif"):
        with pytest.raises(mnistgen.InputError, match="cannot be read"):
            reproduce(Path(f"{name}{ending}"))
