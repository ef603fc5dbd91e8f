"""write_dataset: create or resume a data set, then publish it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import SupportsIndex

from numpy.typing import ArrayLike

from mnistgen._catalog import DEFAULT_MODEL, find, portable
from mnistgen._checks import check_flag, checked_seed, one_of, whole_number
from mnistgen._dataset.engines import ENGINES
from mnistgen._dataset.formats import format_named
from mnistgen._dataset.local import LocalStore
from mnistgen._dataset.manifest import Manifest, manifest_bytes, read_manifest, read_plan
from mnistgen._dataset.plan import Plan, plan_of
from mnistgen._dataset.progress import LISTED, Progress, Report
from mnistgen._dataset.remote import RemoteStore
from mnistgen._dataset.store import MANIFEST, PLAN, Store
from mnistgen._dataset.work import Job
from mnistgen._devices import usable_cpus
from mnistgen._editing import Span
from mnistgen._errors import InputError, OutputError, shown
from mnistgen._keywords import suggesting_keywords

MIN_BYTES = 57  # per digit, in any format: the smallest PNG
NAMED = 3  # damaged files that a message names
SPOOL = 1 << 24  # bytes of the list of files that are kept in memory; the rest is on disk


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What was written; dataset.json has the same information for every file."""

    out: str
    plan: Plan
    counts: Mapping[str, list[int]]  # number of each digit, (10,), by split
    files: int  # number of files, without dataset.json
    sha256: Mapping[str, str]  # of the first 12 files, by name


@suggesting_keywords
def write_dataset(
    out: str | os.PathLike[str],
    *,
    n: SupportsIndex = 60_000,
    test: SupportsIndex | None = None,
    format: str = "idx",  # noqa: A002 - what users call it
    digits: Sequence[SupportsIndex] = range(10),
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
    shard_size: SupportsIndex | None = None,
    workers: SupportsIndex | None = None,
    engine: str = "local",
    address: str | None = None,
    resume: bool = False,
    force: bool = False,
    report: Report | None = None,
) -> Summary:
    """Write a labelled data set of generated digits in a common format; the same arguments give the same bytes.

    Args:
        out: A new or empty folder, or a URL that fsspec supports.
        n: Size of the training split.
        test: Size of the test split. By default a sixth of n, at least 1 and at most 10,000.
        format: idx (as torchvision.datasets.MNIST), npz (as keras.datasets.mnist), png (as ImageFolder), parquet,
            webdataset or hf (a repository of the Hugging Face Hub).
        digits: The digits to include.
        balance: "uniform", or "mnist" for the class frequencies of MNIST's training set.
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
        shard_size: Images per file in formats with shards, by default 10,000. Slices that start and end at multiples
            of it have the same shards.
        workers: Number of processes, with one thread each; -1 for one per usable CPU. By default 1, on Ray one per CPU
            of the cluster.
        engine: "local" for this machine, "ray" for a cluster whose workers can all write to `out`.
        address: Address of the Ray cluster. By default, that of `ray.init` or RAY_ADDRESS, else a cluster is started on
            this machine.
        resume: Continue an interrupted call; the bytes are the same as without the interruption.
        force: Replace a finished data set once the new one is finished; remove an unfinished one at the start.
        report: Called with the number of images done and the total, first with those of earlier calls.

    Raises:
        InputError: For arguments outside their ranges, and if `out` already contains files.
        DependencyError: If a package that the format or the URL needs is not installed.
        OutputError: If the disk is full or the folder is removed meanwhile. `resume` continues with what is done.
    """
    writer = format_named(format)
    one_of("engine", engine, ENGINES)
    if address is not None and engine == "local":
        raise InputError(
            f"address: expected none for the engine local, got {shown(address)}; did you mean the engine ray?"
        )
    check_flag("resume", resume)
    check_flag("force", force)
    if resume and force:
        raise InputError("resume=True continues and force=True starts over; pass only one of them")
    if engine == "ray":
        from mnistgen._dataset.cluster import import_ray

        import_ray()  # fail before any folder is created
    processes = _processes(workers, engine)
    size = writer.task_size if shard_size is None else whole_number("shard_size", shard_size, 1, 10**6)
    store = store_at(out)
    with _reporting_os_errors(out), store.owned():
        finished = _finished(store, out)
        unfinished = read_plan(store.read(PLAN))
        before = unfinished or (finished.plan if finished else None)
        if seed is None and resume and before:
            seed = before.seed
        card, seed = find(model).card, checked_seed(seed)
        plan = plan_of(
            card,
            format,
            size,
            n=n,
            test=test,
            start=start,
            digits=digits,
            balance=balance,
            seed=seed,
            attributes={"thickness": thickness, "slant": slant, "width": width, "height": height},
            style=style,
            spread=spread,
        )
        writer.check(plan, store)
        if resume:
            _check_same(out, plan, before)
        elif finished and not force:
            raise InputError(f"{out}: contains a data set; force=True replaces it")
        elif unfinished and not force:
            raise InputError(
                f"{out}: contains an unfinished data set; resume=True continues it, force=True starts over"
            )
        if resume and finished and not unfinished:
            return _verify(store, out, finished)
        if unfinished and resume:
            store.resume()
        else:
            if finished and (other := store.unlisted(finished.files)):
                raise InputError(
                    f"{out}: contains files that its {MANIFEST} does not list ({', '.join(other)}); "
                    "move them away, or name another folder"
                )
            store.begin(json.dumps(plan.to_json()).encode(), MIN_BYTES * (plan.n + plan.test))
        writer.begin(plan, store)
        folder = str(store.scratch) if store.scratch else None
        with (
            SpooledTemporaryFile(SPOOL, dir=folder) as lines,
            Progress(plan, store, report or (lambda done, total: None), lines) as progress,
        ):
            job = Job(plan, store, portable(model))
            for record in ENGINES[engine](job, plan.tasks(progress.next), workers=processes, address=address):
                progress.add(record)
            for name, sha256 in writer.finish(plan, store):
                progress.list_file(name, sha256)
            store.publish(manifest_bytes(plan, progress.counts, progress.listing()))
    return Summary(out=str(out), plan=plan, counts=progress.counts, files=progress.files, sha256=progress.first)


def _processes(workers: SupportsIndex | None, engine: str) -> int | None:
    """The number of processes, or None for the engine's default."""
    if workers is None:
        return None
    number = whole_number("workers", workers, -1, 100_000)
    if number == 0:
        raise InputError("workers: expected a whole number, 1 or more, or -1 for all CPUs, got 0")
    if number == -1:
        return usable_cpus() if engine == "local" else None
    return number


def store_at(out: str | os.PathLike[str]) -> Store:
    """The store of a path, or of a URL such as s3://bucket/folder.

    Raises InputError for anything else, and for a URL without a folder; DependencyError if the URL needs a package.
    """
    try:
        text = os.fsdecode(out)
    except Exception:  # noqa: BLE001 - a third-party __fspath__ may raise anything
        raise InputError(f"out: expected the path of a folder or a URL, got {shown(out)}") from None
    return RemoteStore(text) if "://" in text else LocalStore(Path(text))


def _finished(store: Store, out: str | os.PathLike[str]) -> Manifest | None:
    """The finished data set at the destination, or None. Raises InputError for other files."""
    content = store.manifest()
    try:
        return None if content is None else read_manifest(content)
    except InputError as error:
        raise InputError(
            f"{out}: contains files but no data set ({MANIFEST}: {error}); name a new or empty folder"
        ) from None


def _verify(store: Store, out: str | os.PathLike[str], finished: Manifest) -> Summary:
    """The summary of a finished data set. Raises OutputError if files are missing or have changed."""
    if other := list(islice(store.damaged(finished.files), NAMED)):
        raise OutputError(
            f"{out}: is finished, but files are missing or have changed ({', '.join(other)}); force=True replaces it"
        )
    first = dict(islice(finished.files.items(), LISTED))
    plan, counts = finished.plan, finished.counts
    return Summary(out=str(out), plan=plan, counts=counts, files=len(finished.files), sha256=first)


def _check_same(out: str | os.PathLike[str], plan: Plan, before: Plan | None) -> None:
    """Raise InputError if the existing data set has another plan."""
    if before and before != plan:
        now, then = plan.to_json(), before.to_json()
        other = ", ".join(f"{name} {shown(value)}" for name, value in then.items() if now[name] != value)
        raise InputError(f"{out}: was started with {other}; pass the same arguments, or omit resume=True")


@contextmanager
def _reporting_os_errors(out: str | os.PathLike[str]) -> Iterator[None]:
    """Raise errors of the file system as OutputError."""
    try:
        yield
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}{name}); resume=True continues with what is done"
        ) from None
