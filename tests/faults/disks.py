"""Full disks and too few file descriptors: one-line errors, no partial files, resumable data sets."""

import ctypes
import functools
import os
import random
import resource
from collections.abc import Mapping
from pathlib import Path

from tests.faults.processes import run
from tests.faults.sets import NEW, SIZES, arguments, expected, model, resumed_problem, start, whole_problem
from tests.faults.trials import Outcome, command_problem, contents

NEW_MOUNTS, PRIVATE, REMOUNT = 0x20000, 0x44000, 0x20  # flags of unshare(2) and mount(2)
ENOUGH = 1 << 28  # bytes, sufficient for all trials
PICTURES: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("a.png", "a.npy", "a.npz"), ("sample", "--n", 400, "--digit", "1,2")),
    **dict.fromkeys(("a.gif", "a.apng", "a.webp"), ("interpolate", "--from", 3, "--to", 8, "--frames", 40)),
    "walk.png": ("walk", "--corners", "3,5,8,9"),
    "number.png": ("write", "20 26", "--scale", 20),
}


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Run a command with too little of a resource, then with enough."""
    name, force = source.choice((*SIZES, *PICTURES)), source.random() < 0.5
    disk = workdir / "disk"
    disk.mkdir()
    mounted = _mount(disk, ENOUGH)
    os.chdir(disk)
    command = start(name, force) if name in SIZES else _picture(name, force)
    before = contents(disk)
    size = sum(map(len, expected(arguments(name, NEW)).values())) if name in SIZES else 100_000
    lacking = source.choice(("disk", "disk", "file size", "descriptors") if mounted else ("file size", "descriptors"))
    limit = _descriptors() + source.randint(6, 40) if lacking == "descriptors" else source.randint(500, 3 * size)
    if lacking == "disk":
        _mount(disk, _used(disk) + limit, REMOUNT)
    kind = {"file size": resource.RLIMIT_FSIZE, "descriptors": resource.RLIMIT_NOFILE}.get(lacking)
    ended = run(*command, limits={kind: limit} if kind is not None else {})
    if lacking == "disk":
        _mount(disk, ENOUGH, REMOUNT)
    problem = command_problem(ended, (0, 1))
    if not problem and name in SIZES:
        problem = whole_problem(disk, name, force) or resumed_problem(disk, name, force)
    elif not problem and ended.code and contents(disk) != before:
        problem = f"fails and leaves {sorted(contents(disk))}"
    os.chdir(workdir)
    if mounted:
        _libc().umount2(os.fsencode(disk), 2)
    return Outcome(f"{name}{', in place of another' * force}, {lacking} {limit:,}", problem)


def _picture(name: str, there: bool) -> tuple[object, ...]:
    """Optionally create an older file, and return the arguments that draw the picture."""
    if there:
        Path(name).write_bytes(b"older")
    return (*PICTURES[name], "--seed", 1, "--model", model(), "--out", name)


def _descriptors() -> int:
    """The highest open file descriptor plus 1."""
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 1


def _used(disk: Path) -> int:
    state = os.statvfs(disk)
    return (state.f_blocks - state.f_bfree) * state.f_frsize


@functools.cache
def _libc() -> ctypes.CDLL:
    """The C library; moves the process to a private mount namespace, if permitted."""
    library = ctypes.CDLL(None)
    if not library.unshare(NEW_MOUNTS):
        library.mount(b"none", b"/", None, PRIVATE, None)
    return library


def _mount(disk: Path, size: int, flags: int = 0) -> bool:
    """Mount a tmpfs of `size` bytes; returns whether this is permitted."""
    if os.geteuid() or not hasattr(_libc(), "mount"):
        return False
    return not _libc().mount(b"none", os.fsencode(disk), b"tmpfs", flags, f"size={size}".encode())
