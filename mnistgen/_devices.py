"""Device names, and the number of CPUs that this process may use."""

import os
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]  # auto: CUDA if a session runs on it, else the CPU


def usable_cpus(root: Path = Path("/")) -> int:
    """CPUs allowed by affinity and by the quotas of control groups, at least 1; `root` is the folder of proc and sys.

    `os.cpu_count()` reports all CPUs of the host, even in a container that is limited to one or two. A quota of 1.5
    CPUs counts as 1.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(int, _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """The quotas, in CPUs, of all control groups of this process."""
    quotas = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":  # cgroup v2: limits of parent groups apply too
            base = root / "sys/fs/cgroup"
            folders = [base / group.strip("/"), *(base / group.strip("/")).parents]
            limits = [_read(folder / "cpu.max").split() for folder in folders if folder.is_relative_to(base)]
        elif "cpu" in controllers.split(","):  # cgroup v1: in a container, its own group is mounted at the root
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
    """Whether both are positive whole numbers; "max" and -1 mean no limit."""
    return len(limit) == 2 and all(part.isdigit() and int(part) > 0 for part in limit)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):  # the file is not text
        return ""
