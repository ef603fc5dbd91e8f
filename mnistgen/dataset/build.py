"""A data set from its plan to its place: begun, gone on with, finished."""

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, SupportsIndex

from mnistgen.catalog import DEFAULT_MODEL, find, portable
from mnistgen.checks import checked_seed, whole_number
from mnistgen.dataset.engines import ENGINES
from mnistgen.dataset.formats import format_named
from mnistgen.dataset.plan import Plan, plan_of
from mnistgen.dataset.store import PROGRESS, Store, store_at
from mnistgen.dataset.work import Job, Record, read_records, record_name
from mnistgen.errors import InputError, OutputError

PLAN = f"{PROGRESS}/plan.json"

# Images done so far, of how many.
Report = Callable[[int, int], None]
Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What was written where; dataset.json beside the data says the same, and the SHA-256 of every file."""

    out: str
    plan: Plan
    counts: dict[str, list[int]]  # how many of each digit, (10,), by split
    files: int  # beside dataset.json


def write_dataset(
    out: str | os.PathLike[str],
    *,
    n: SupportsIndex = 60_000,
    test: SupportsIndex = 10_000,
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
    report: Report = lambda done, total: None,
) -> Summary:
    """Write a labelled data set of generated digits, in a format that others read; the same bytes on every call.

    out         a folder, new or empty, or a URL that fsspec knows
    n, test     images to train with and to test with
    format      idx (as torchvision.datasets.MNIST), npz (as keras.datasets.mnist), png (as ImageFolder), parquet,
                webdataset or hf (a repository of the Hugging Face Hub)
    digits      the classes that come
    balance     "uniform": all alike; "mnist": as often as in MNIST's training set
    model       class-conditional, by name or path
    seed        0 to 2**64 - 1; without one, a fresh one is drawn and logged
    start       the first training image: any slice can be made alone, and has the images of the whole
    shard_size  images a file, for formats in shards, 10,000 by default; slices that start and end at multiples of it
                give the shards of the whole
    workers     processes, one thread each: by default one, on Ray as many as the cluster has CPUs
    engine      "local": on this machine; "ray": on a cluster, whose workers all reach `out`
    address     of the Ray cluster; without one, that of `ray.init` or RAY_ADDRESS, else one of this machine
    resume      go on where an earlier call was killed, to the same bytes
    force       take the place of a finished data set, once this one is finished, or of an unfinished one, at once
    report      is called with the images done and their number

    Raises InputError for arguments out of their ranges and for a place that is taken, OutputError where the disk is
    full or the folder is lost: what is done by then stays, for resume.
    """
    writer = format_named(format)
    if engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if address is not None and engine == "local":
        raise InputError(f"address: expected none for the engine local, got {address!r}; did you mean the engine ray?")
    if engine == "ray":
        from mnistgen.ray import import_ray

        import_ray()  # which must not fail once a folder is made
    hands = None if workers is None else whole_number("workers", workers, 1, 100_000)
    size = writer.task_size if shard_size is None else whole_number("shard_size", shard_size, 1, 10**6)
    store = store_at(out)
    with _failing_clearly(out):
        store.settle()
        store.check()
        earlier = _json(store.read(PLAN))
        finished = _json(store.manifest())
        if seed is None and resume:
            seed = (earlier or finished or {}).get("seed")
        asked: Fields = {"n": n, "test": test, "start": start, "digits": digits, "balance": balance}
        plan = plan_of(find(model).card, format, size, seed=checked_seed(seed), **asked)
        writer.check(plan, store)
        _check_place(str(out), plan, earlier, finished, resume, force)
        if finished and not earlier and resume:
            return Summary(out=str(out), plan=plan, counts=finished["counts"], files=len(finished["files"]))
        if not (earlier and resume):
            store.begin()
            writer.begin(plan, store)
            store.write(PLAN, json.dumps(plan.to_json()).encode())
        tally = _Tally(plan, report)
        job = Job(plan, store, portable(model))
        done = _done(store, tally)
        due = (task for task in plan.tasks() if task.number not in done)
        for record in ENGINES[engine](job, due, workers=hands, address=address):
            tally.add(record)
            tally.show()
        files = _Counted(_files(plan, store, writer.finish(plan, store)))
        store.publish(_manifest(plan.to_json() | {"counts": tally.counts}, files))
    return Summary(out=str(out), plan=plan, counts=tally.counts, files=files.count)


class _Counted(Iterator[tuple[str, str]]):
    """Counts what passes."""

    def __init__(self, items: Iterator[tuple[str, str]]) -> None:
        self.count = 0
        self._items = items

    def __next__(self) -> tuple[str, str]:
        item = next(self._items)
        self.count += 1
        return item


class _Tally:
    """Counts what is done: digits of each class by split, and images in all."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self.counts = {split: [0] * 10 for split in plan.ranges()}
        self._total = plan.n + plan.test
        self._report = report

    def add(self, record: Record) -> None:
        """Count a record in."""
        before = self.counts[record.split]
        self.counts[record.split] = [one + more for one, more in zip(before, record.counts, strict=True)]

    def show(self) -> None:
        """Report what is counted."""
        self._report(sum(map(sum, self.counts.values())), self._total)


def _done(store: Store, tally: _Tally) -> set[int]:
    """The numbers of the tasks that earlier calls did, counted."""
    numbers = sorted(int(stem) for name in store.names(PROGRESS) if (stem := name.removesuffix(".json")).isdecimal())
    done = set()
    for number, record in zip(numbers, read_records(store, numbers), strict=True):
        if record is not None:
            tally.add(record)
            done.add(number)
    if done:
        tally.show()
    return done


def _files(plan: Plan, store: Store, finished: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Names and SHA-256 of all files, in the order of the tasks that they are of."""
    for number, record in enumerate(read_records(store, (task.number for task in plan.tasks()))):
        if record is None:
            raise FileNotFoundError(errno.ENOENT, "it was taken away", record_name(number))
        yield from record.files.items()
    yield from finished


def _manifest(fields: Fields, files: Iterator[tuple[str, str]]) -> Iterator[str]:
    """dataset.json in pieces, for there may be more files than memory holds; a line a field, a line a file."""
    yield "{\n"
    for name, value in fields.items():
        yield f"  {json.dumps(name)}: {json.dumps(value)},\n"
    separator = '  "files": {\n    '
    for name, sha256 in files:
        yield f"{separator}{json.dumps(name)}: {json.dumps(sha256)}"
        separator = ",\n    "
    yield "\n  }\n}\n"


def _json(content: bytes | None) -> Fields | None:
    """The fields of a JSON object; none where there is none, or where its writer was killed."""
    try:
        fields = json.loads(content or b"")
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _check_place(
    out: str, plan: Plan, earlier: Fields | None, finished: Fields | None, resume: bool, force: bool
) -> None:
    """Raise InputError unless the place is free, or may be taken, or holds a part of this very data set."""
    if resume and force:
        raise InputError("resume: expected without force, which begins again; leave one of them away")
    if resume:
        for fields in filter(None, (earlier or finished,)):
            other = [name for name, value in plan.to_json().items() if fields.get(name) != value]
            if other:
                was = ", ".join(f"{name} {fields.get(name)!r}" for name in other)
                raise InputError(f"{out}: what is there was made with {was}; ask for the same, or leave out resume")
    elif not force and finished:
        raise InputError(f"{out}: holds a data set; --force (force=True) replaces it")
    elif not force and earlier:
        raise InputError(
            f"{out}: an unfinished data set is there; --resume (resume=True) goes on with it, "
            "--force (force=True) begins again"
        )


@contextmanager
def _failing_clearly(out: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the file system refuses into one line."""
    try:
        yield
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}{name}); "
            "--resume (resume=True) goes on with what is done"
        ) from None
