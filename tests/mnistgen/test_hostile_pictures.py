"""Small crafted files that would take much memory or time are rejected by their metadata."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RunCli

SIDE = 9400  # of a canvas below Pillow's limit; as RGBA 350 MB, several times
FRAMES = 100_000
ROOM = 60_000  # kB of memory, in addition to that for a valid picture

SCRIPT = """
import sys
from pathlib import Path
from mnistgen import InputError
from mnistgen._reproduce import reproduce

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

model, honest, *hostile = sys.argv[1:]
assert reproduce(Path(honest), model=model).same
before = peak()
for path in hostile:
    try:
        print(reproduce(Path(path), model=model))
    except InputError as error:
        print(error)
print(peak() - before)
"""


def wide_png(content: bytes, side: int = SIDE) -> bytes:
    header = content[12:16] + struct.pack(">II", side, side) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def wide_webp(content: bytes) -> bytes:
    return content[:24] + (SIDE - 1).to_bytes(3, "little") * 2 + content[30:]


def wide_gif(content: bytes) -> bytes:
    return content[:6] + struct.pack("<HH", SIDE, SIDE) + content[10:]


def long_gif(content: bytes) -> bytes:
    """Add many frames of one pixel each."""
    return content[:-1] + b",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0" * FRAMES + b";"


def wordy_png(content: bytes) -> bytes:
    """Add 40 compressed texts that expand to a thousand times their size."""
    text = b"zTXtmnistgen\0\0" + zlib.compress(b" " * 1_000_000)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return content[:33] + chunk * 40 + content[33:]


HOSTILE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "wide.apng": (".apng", wide_png, "expected 28 x 28 pixels by its text fields, got 9,400 x 9,400"),
    "wider.apng": (
        ".apng",
        lambda content: wide_png(content, 50_000),
        "expected at most 67,108,864 pixels, got more",
    ),
    "wide.webp": (".webp", wide_webp, "expected 28 x 28 pixels by its text fields, got 9,400 x 9,400"),
    "wide.gif": (".gif", wide_gif, "expected 28 x 28 pixels by its text fields, got 9,400 x 9,400"),
    "long.gif": (".gif", long_gif, "frames: expected 2 by its text fields, got 3 or more"),
    "wordy.apng": (".apng", wordy_png, "every pixel is equal"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's peak of memory from /proc")
def test_crafted_pictures_are_not_decoded(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    honest = {ending: tmp_path / f"honest{ending}" for ending in (".gif", ".apng", ".webp")}
    for path in honest.values():
        between = ("--from", 3, "--to", 8, "--frames", 2, "--scale", 1)
        assert run_cli("interpolate", "--model", conditional_model, *between, "--out", path).code == 0
    for name, (ending, change, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(change(honest[ending].read_bytes()))
    paths = [str(path) for path in (conditional_model, honest[".gif"], *(tmp_path / name for name in HOSTILE))]
    result = subprocess.run([sys.executable, "-c", SCRIPT, *paths], check=True, capture_output=True, text=True)
    *lines, grown = result.stdout.splitlines()
    for line, (_, _, words) in zip(lines, HOSTILE.values(), strict=True):
        assert words in line
    assert int(grown) < ROOM
