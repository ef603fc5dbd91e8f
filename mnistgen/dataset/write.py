"""write_dataset: a new folder beside the target, filled, described by dataset.json, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from mnistgen._checks import one_of
from mnistgen._errors import InputError, OutputError
from mnistgen._generator import Generator
from mnistgen._model import DEFAULT_MODEL, DIGITS, card
from mnistgen._request import Classes, Span
from mnistgen._runtime import usable_cpus
from mnistgen.dataset.formats import FORMATS
from mnistgen.dataset.plan import Batch, Plan, plan_of

MANIFEST = "dataset.json"
AHEAD = 4  # blocks per thread that are generated before they are written
NAMED = 3  # files that a message names

Report = Callable[[int, int], None]  # images done, total


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What was written; dataset.json has the same information, and all arguments."""

    out: str
    seed: int
    counts: Mapping[str, list[int]]  # number of images of each class, (K,), by split
    files: Mapping[str, str]  # SHA-256 by name, without dataset.json


def write_dataset(
    out: str | os.PathLike[str],
    *,
    n: SupportsIndex = 60_000,
    test: SupportsIndex | None = None,
    format: str = "idx",  # noqa: A002 - what users call it
    digits: Classes | None = None,
    balance: str = "uniform",
    thickness: float | Span | None = None,
    slant: float | Span | None = None,
    width: float | Span | None = None,
    height: float | Span | None = None,
    style: ArrayLike | None = None,
    spread: float = 0.3,
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    seed: SupportsIndex | None = None,
    start: SupportsIndex = 0,
    shard_size: SupportsIndex = 10_000,
    force: bool = False,
    report: Report = lambda done, total: None,
) -> Summary:
    """Write a labelled data set of generated digits in a common format; the same arguments give the same bytes.

    If the model generates other classes than digits, their names are in classes.txt, one a line, in the order of the
    labels; folders of png and the class labels of parquet have the same names.

    The data set is written to a new folder beside `out`, which is renamed once it is complete. If the call fails or is
    interrupted, the new folder is removed, and `out` is as it was.

    Args:
        out: A new or empty local folder.
        n: Size of the training split.
        test: Size of the test split. By default a sixth of n, at least 1 and at most 10,000.
        format: idx (as torchvision.datasets.MNIST), npz (as keras.datasets.mnist), png (as ImageFolder), parquet (as on
            the Hugging Face Hub) or webdataset.
        digits: The classes to include, numbers or names, by default all. Repeats are weights: [1, 1, 1, 7] gives three
            ones for each seven on average, as does {1: 3, 7: 1}, with weights up to 1,000,000.
        balance: "uniform", or "mnist" for the class frequencies of MNIST's training set; multiplied by the weights.
        thickness: Stroke thickness in pixels, as in `Generator.sample`: a number, or a range to draw from. The images'
            measured thickness and the requested one are written beside the labels, as columns `thickness` and
            `requested_thickness`: arrays of the npz file, columns of Parquet files, a .json file of each WebDataset
            sample, else CSV files.
        slant: The same for the slant, in radians, positive to the right.
        width: The same for the width, in pixels.
        height: The same for the height, in pixels.
        style: A handwriting style for all digits, as in `Generator.number`: latents float (D,), or the mean of (M, D),
            such as those that `Generator.encode` returns.
        spread: Standard deviation of the latents around the style, 0 to 1.
        model: The name or path of a class-conditional model.
        seed: 0 to 2**64 - 1. By default, a fresh seed is drawn and logged.
        start: Index of the first training image. A data set that is written in slices has the same images.
        shard_size: Images per file of parquet and webdataset. Slices that start and end at multiples of it have shards
            with the same bytes.
        force: Replace an existing data set, once the new one is complete.
        report: Called with the number of images done and the total.

    Raises:
        InputError: For arguments outside their ranges, and if `out` already contains files.
        DependencyError: If a package that the format needs is not installed.
        OutputError: If the folder cannot be written, or was taken meanwhile.
    """
    write_split = FORMATS[one_of("format", format, FORMATS)]
    target = _checked_target(out, force)
    plan = plan_of(
        card(model),
        n=n,
        test=test,
        start=start,
        digits=digits,
        balance=balance,
        seed=seed,
        shard_size=shard_size,
        attributes={"thickness": thickness, "slant": slant, "width": width, "height": height},
        style=style,
        spread=spread,
    )
    generator = Generator(model, device="cpu", threads=1)
    scratch = target.with_name(f".{target.name[:100]}-{secrets.token_hex(4)}")
    folder = scratch / "new"
    counts = {split: np.zeros(len(plan.classes), np.int64) for split in plan.ranges()}

    def batches(split: str) -> Iterator[Batch]:
        for batch in _generated(plan, generator, split):
            counts[split] += np.bincount(batch.labels, minlength=len(plan.classes))
            report(sum(int(found.sum()) for found in counts.values()), plan.n + plan.test)
            yield batch

    try:
        folder.mkdir(parents=True)
        for split in counts:
            write_split(folder, plan, split, batches(split))
        if plan.classes != DIGITS:
            (folder / "classes.txt").write_text("\n".join((*plan.classes, "")), "utf-8", newline="\n")
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}
        totals = {split: found.tolist() for split, found in counts.items()}
        manifest = plan.arguments() | {"format": format, "counts": totals, "files": files}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        if force:
            _checked_target(out, force)  # once more: no file that has come since is removed
        _publish(folder, target, scratch / "old" if force else None)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise OutputError(f"{out}: cannot be written ({error.strerror or error}{where}); nothing was changed") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Summary(out=str(out), seed=plan.request.seed, counts=totals, files=files)


def _checked_target(out: str | os.PathLike[str], force: bool) -> Path:
    """The folder to create. Raises InputError unless it is new, empty or, with `force`, a data set; OutputError."""
    if "://" in str(out):
        raise InputError(
            f"{out}: expected a local folder; mnistgen.ray.digits(...).write_parquet(URL) writes to any storage"
        )
    target = Path(os.path.realpath(out))
    if not target.parent.is_dir():
        raise OutputError(f"{out}: the folder {target.parent} does not exist; create it first")
    if target.exists() and not target.is_dir():
        raise OutputError(f"{out}: expected a folder, got a file")
    if target.is_mount() or target == Path.cwd():
        raise InputError(f"{out}: cannot be replaced, because it is mounted or the working folder; name a folder in it")
    if not target.exists() or not any(target.iterdir()):
        return target
    if not (target / MANIFEST).is_file():
        raise InputError(f"{out}: contains files but no data set; name a new or empty folder")
    if not force:
        raise InputError(f"{out}: contains a data set; force=True replaces it")
    try:
        listed = {MANIFEST, *json.loads((target / MANIFEST).read_text("utf-8"))["files"]}
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{out}: its {MANIFEST} is not that of a data set; name a new or empty folder") from None
    found = (path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir())
    if other := sorted(set(found) - listed)[:NAMED]:
        raise InputError(
            f"{out}: contains files that its {MANIFEST} does not list ({', '.join(other)}); move them away"
        )
    return target


def _generated(plan: Plan, generator: Generator, split: str) -> Iterator[Batch]:
    """The batches of a split in order. Each is generated by one thread, so its bits depend on no number of CPUs."""
    cpus = usable_cpus()
    pending: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(cpus) as pool:
        for images in plan.blocks(split):
            if len(pending) == AHEAD * cpus:
                yield pending.popleft().result()
            pending.append(pool.submit(plan.draw, generator, split, images))
        while pending:
            yield pending.popleft().result()


def _publish(folder: Path, target: Path, old: Path | None) -> None:
    """Rename a complete data set to the target, and an existing one to `old`, if given, which comes back on any error.

    Raises OutputError if another call has taken the target meanwhile.
    """
    with suppress(OSError):
        target.rmdir()  # if it is empty: Windows renames to new names only
    try:
        if old and target.exists():
            target.rename(old)
        folder.rename(target)
    except BaseException as error:
        if old and old.exists() and not target.exists():
            old.rename(target)
        elif isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise OutputError(f"{target}: another call has written it meanwhile; nothing was changed") from None
        raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
