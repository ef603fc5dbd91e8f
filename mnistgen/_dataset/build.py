"""A data set from its plan to its place: created or resumed, then published."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, SupportsIndex

from mnistgen._catalog import DEFAULT_MODEL, find, portable
from mnistgen._checks import check_flag, checked_seed, one_of, whole_number
from mnistgen._dataset.engines import ENGINES
from mnistgen._dataset.formats import format_named
from mnistgen._dataset.local import LocalStore
from mnistgen._dataset.manifest import Manifest, read_manifest, read_plan, written
from mnistgen._dataset.plan import Plan, plan_of
from mnistgen._dataset.progress import LISTED, Progress, Report
from mnistgen._dataset.remote import RemoteStore
from mnistgen._dataset.store import MANIFEST, PLAN, Store
from mnistgen._dataset.work import Job
from mnistgen._devices import usable_cpus
from mnistgen._errors import InputError, OutputError, shown
from mnistgen._keywords import suggesting_keywords

LEAST = 57  # bytes of a digit, in any format: a PNG has no fewer
NAMED = 3  # files that are missing or were changed, and are named
SPOOL = 1 << 24  # bytes of the list of files that are in memory: there may be more than fit


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What was written where; dataset.json beside the data says the same of every file."""

    out: str
    plan: Plan
    counts: Mapping[str, list[int]]  # how many of each digit, (10,), by split
    files: int  # beside dataset.json
    sha256: Mapping[str, str]  # of the first files, LISTED at most, by name


@suggesting_keywords
def write_dataset(
    out: str | os.PathLike[str],
    *,
    n: SupportsIndex = 60_000,
    test: SupportsIndex | None = None,
    format: str = "idx",  # noqa: A002 - what users call it
    digits: Sequence[SupportsIndex] = range(10),
    balance: str = "uniform",
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
    """Write a labelled data set of generated digits, in a format that others read; the same bytes on every call.

    Args:
        out: A folder, new or empty, or a URL that fsspec knows.
        n: Size of the training split.
        test: Size of the test split. By default a sixth of n, from 1 to 10,000.
        format: idx (as torchvision.datasets.MNIST), npz (as keras.datasets.mnist), png (as ImageFolder), parquet,
            webdataset or hf (a repository of the Hugging Face Hub).
        digits: Which digits come.
        balance: "uniform", or "mnist": each digit as often as in MNIST's training set.
        model: A class-conditional model, by name or path.
        seed: 0 to 2**64 - 1. Without one, a fresh one is drawn and logged.
        start: Index of the first training image: any slice can be made alone, and has the images of the whole.
        shard_size: Images a file, for formats in shards, 10,000 by default. Slices that start and end at multiples of
            it give the shards of the whole.
        workers: Processes of one thread each. By default one, on Ray as many as the cluster has CPUs; -1 for as many
            as there are usable CPUs.
        engine: "local": on this machine; "ray": on a cluster, whose workers all reach `out`.
        address: Of the Ray cluster. Without one, that of `ray.init` or RAY_ADDRESS, else one of this machine.
        resume: Go on where an earlier call was killed, to the same bytes.
        force: Replace a finished data set, once this one is finished, or an unfinished one, at once.
        report: Called with the images done and their number, first of all with what an earlier call did.

    Raises:
        InputError: For arguments outside their ranges, and for a place that is taken.
        DependencyError: Where a package that the format or the URL needs is not installed.
        OutputError: Where the disk is full or the folder is lost: what is done by then stays, for resume.
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
        raise InputError("resume=True continues, and force=True starts over: pass only one of them")
    if engine == "ray":
        from mnistgen._dataset.cluster import import_ray

        import_ray()  # which must not fail once a folder is made
    processes = _processes(workers, engine)
    size = writer.task_size if shard_size is None else whole_number("shard_size", shard_size, 1, 10**6)
    store = store_at(out)
    with _failing_clearly(out), store.owned():
        finished = _finished(store, out)
        unfinished = read_plan(store.read(PLAN))
        before = unfinished or (finished.plan if finished else None)
        if seed is None and resume and before:
            seed = before.seed
        asked: dict[str, Any] = {"n": n, "test": test, "start": start, "digits": digits, "balance": balance}
        plan = plan_of(find(model).card, format, size, seed=checked_seed(seed), **asked)
        writer.check(plan, store)
        if resume:
            _check_same(out, plan, before)
        elif not force and (finished or unfinished):
            raise InputError(f"{out}: {TAKEN if finished else UNFINISHED}")
        if resume and finished and not unfinished:
            return _verified(store, out, finished)
        if unfinished and resume:
            store.resume()
        else:
            if finished and (other := store.unlisted(finished.files)):
                raise InputError(
                    f"{out}: holds files that its {MANIFEST} does not list ({', '.join(other)}); "
                    "move them away, or name another folder"
                )
            store.begin(json.dumps(plan.to_json()).encode(), LEAST * (plan.n + plan.test))
        writer.begin(plan, store)
        folder = str(store.scratch) if store.scratch else None
        with (
            SpooledTemporaryFile(SPOOL, dir=folder) as lines,
            Progress(plan, store, report or _ignore, lines) as progress,
        ):
            job = Job(plan, store, portable(model))
            for record in ENGINES[engine](job, plan.tasks(progress.next), workers=processes, address=address):
                progress.add(record)
            for name, sha256 in writer.finish(plan, store):
                progress.list_file(name, sha256)
            store.publish(written(plan, progress.counts, progress.listing()))
    return Summary(out=str(out), plan=plan, counts=progress.counts, files=progress.files, sha256=progress.first)


def _processes(workers: SupportsIndex | None, engine: str) -> int | None:
    """How many processes, or None for the engine's default."""
    if workers is None:
        return None
    number = whole_number("workers", workers, -1, 100_000)
    if number == 0:
        raise InputError("workers: expected a whole number, 1 or more, or -1 for all CPUs, got 0")
    if number == -1:
        return usable_cpus() if engine == "local" else None
    return number


def _ignore(done: int, total: int) -> None:
    """No progress."""


TAKEN = "holds a data set; force=True replaces it"
UNFINISHED = "an unfinished data set is there; resume=True continues it, force=True starts over"


def store_at(out: str | os.PathLike[str]) -> Store:
    """The store of a path, or of a URL such as s3://bucket/folder.

    Raises InputError where a URL names a file system that is not installed, or no folder.
    """
    try:
        text = os.fsdecode(out)
    except Exception:  # noqa: BLE001 - TypeError, or whatever a stranger's __fspath__ raises
        raise InputError(f"out: expected the path of a folder or a URL, got {shown(out)}") from None
    return RemoteStore(text) if "://" in text else LocalStore(Path(text))


def _finished(store: Store, out: str | os.PathLike[str]) -> Manifest | None:
    """The finished data set that is there, or none. Raises InputError where anything else is there."""
    content = store.manifest()
    try:
        return None if content is None else read_manifest(content)
    except InputError as error:
        raise InputError(
            f"{out}: holds other files than a data set ({MANIFEST}: {error}); name a new or an empty folder"
        ) from None


def _verified(store: Store, out: str | os.PathLike[str], finished: Manifest) -> Summary:
    """The summary of a finished data set whose every file is what its description says."""
    if other := list(islice(store.damaged(finished.files), NAMED)):
        raise OutputError(
            f"{out}: is finished, but files are missing or were changed ({', '.join(other)}); force=True makes it again"
        )
    first = dict(islice(finished.files.items(), LISTED))
    plan, counts = finished.plan, finished.counts
    return Summary(out=str(out), plan=plan, counts=counts, files=len(finished.files), sha256=first)


def _check_same(out: str | os.PathLike[str], plan: Plan, before: Plan | None) -> None:
    """Raise InputError where what is there was made with another plan."""
    if before and before != plan:
        now, then = plan.to_json(), before.to_json()
        was = ", ".join(f"{name} {shown(value)}" for name, value in then.items() if now[name] != value)
        raise InputError(f"{out}: what is there was made with {was}; ask for the same, or omit resume=True")


@contextmanager
def _failing_clearly(out: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the file system refuses into one line."""
    try:
        yield
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}{name}); resume=True continues with what is done"
        ) from None
