"""Devices: their names, and how many CPUs this process may use by its affinity and its control groups' quota."""

import os
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]  # auto: CUDA where it works, else the CPU


def usable_cpus(root: Path = Path("/")) -> int:
    """At least 1. `root` is where /proc and /sys are found.

    A container sees all CPUs of its host in `os.cpu_count()`, yet may be allowed the time of one or two; threads
    beyond that only take turns. A quota of 1.5 CPUs counts as 1.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(int, _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """The CPU quotas of every control group that this process is in, in CPUs."""
    quotas = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":  # cgroup v2, whose parents limit their children too
            base = root / "sys/fs/cgroup"
            folders = [base / group.strip("/"), *(base / group.strip("/")).parents]
            limits = [_read(folder / "cpu.max").split() for folder in folders if folder.is_relative_to(base)]
        elif "cpu" in controllers.split(","):  # cgroup v1; in a container its own group is mounted at the top
            base = root / "sys/fs/cgroup" / controllers
            limits = [
                [_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()]
                for folder in (base, base / group.strip("/"))
            ]
        else:
            continue
        quotas += [int(quota) / int(period) for quota, period in filter(_is_limit, limits)]
    return quotas


def _is_limit(limit: list[str]) -> bool:
    """True for two positive whole numbers; "max" and -1 mean no limit."""
    return len(limit) == 2 and all(part.isdigit() and int(part) > 0 for part in limit)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):  # a group's name that is no text
        return ""
