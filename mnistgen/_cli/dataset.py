"""mnistgen dataset: write a data set and print its summary."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import mnistgen
from mnistgen import DEFAULT_MODEL
from mnistgen._cli.app import app, say
from mnistgen._cli.options import Height, Model, Seed, Slant, Thickness, Width, number, numbers
from mnistgen._interruption import Interrupted, exit_code

INTERVAL = 10.0  # seconds between two lines of progress, if standard error is not a terminal


@app.command(epilog="Example: mnistgen dataset -o data -n 60000 --test 10000 --seed 1")
def dataset(
    out: Annotated[
        str, typer.Option("--out", "-o", help="A folder, new or empty, or a URL such as s3://bucket/folder.")
    ],
    n: Annotated[int, number("n", "Size of the training split.", short="-n")] = 60_000,
    test: Annotated[
        int | None, number("test", "Size of the test split. By default a sixth of the training split, at most 10,000.")
    ] = None,
    format: Annotated[  # noqa: A002 - what users call it
        str, typer.Option(help="idx (MNIST's own format), npz (as in Keras), png, parquet, webdataset or hf.")
    ] = "idx",
    digits: Annotated[Any, numbers("digits", "Digits to include, such as 3,5 or 0-4. By default, all.")] = None,
    balance: Annotated[str, typer.Option(help="uniform, or mnist for the class frequencies of MNIST.")] = "uniform",
    thickness: Thickness = None,
    slant: Slant = None,
    width: Width = None,
    height: Height = None,
    style: Annotated[
        list[Path] | None,
        typer.Option(help="A picture of digits, in whose handwriting all are drawn. May be repeated."),
    ] = None,
    spread: Annotated[float, typer.Option(help="With --style: spread of the handwriting around it, 0 to 1.")] = 0.3,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    start: Annotated[int, number("start", "Index of the first training digit.")] = 0,
    shard_size: Annotated[int | None, number("shard-size", "Digits per shard. By default 10,000.")] = None,
    workers: Annotated[int, number("workers", "Processes. By default, one per usable CPU.", show_default=False)] = -1,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster that can write to --out.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Address of the Ray cluster. By default, RAY_ADDRESS or a new cluster.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted call.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing data set.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print neither progress nor a summary.")] = False,
) -> None:
    """Write a labelled data set in a common format; the same arguments give the same bytes."""
    with _progress(quiet) as report, _resumable():
        summary = mnistgen.write_dataset(
            out,
            n=n,
            test=test,
            format=format,
            digits=range(10) if digits is None else digits,
            balance=balance,
            thickness=thickness,
            slant=slant,
            width=width,
            height=height,
            style=mnistgen.Generator(model).encode(mnistgen.read_digits(style)) if style else None,
            spread=spread,
            model=model,
            seed=seed,
            start=start,
            shard_size=shard_size,
            workers=workers,
            engine=engine,
            address=address,
            resume=resume,
            force=force,
            report=_interruptible(report),
        )
    if not quiet:
        for line in _lines(summary):
            say(line)


def _interruptible(report: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Wrap `report` to raise Interrupted after a signal whose exception was lost, such as in a callback from C."""

    def call(done: int, total: int) -> None:
        if exit_code():
            raise Interrupted
        report(done, total)

    return call


def _lines(summary: mnistgen.Summary) -> Iterator[str]:
    """Format the summary: what was written, the number of each digit, and the files."""
    plan = summary.plan
    images = " and ".join(f"{len(part):,} {split}" for split, part in plan.ranges().items())
    yield f"{summary.out}: {images} digits from {plan.model}, seed {plan.seed}, as {plan.format}"
    rows = [["digit", *map(str, range(10))]]
    rows += [[split, *(f"{count:,}" for count in counts)] for split, counts in summary.counts.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        columns = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield f"  {name:{widths[0]}}  {'  '.join(columns)}"
    if summary.files > len(summary.sha256):
        yield f"  {summary.files:,} files; their SHA-256 are in {summary.out}/dataset.json"
        return
    for name, sha256 in summary.sha256.items():
        yield f"  {sha256}  {name}"
    yield f"  described by {summary.out}/dataset.json"


@contextmanager
def _resumable() -> Iterator[None]:
    """After a signal, report how to resume instead of the error that the signal caused."""
    try:
        yield
    except BaseException:
        if exit_code():
            raise Interrupted("interrupted; run the same command with --resume to continue") from None
        raise


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, a line every ten seconds elsewhere, or nothing if quiet."""
    if quiet:
        yield lambda done, total: None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _LinesOfProgress()


class _LinesOfProgress:
    """Print a line with rate and remaining time every ten seconds."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._before: int | None = None  # images done by earlier calls

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._before is None:
            self._before, self._start = done, now
        if now - self._last >= INTERVAL and done > self._before:
            rate = (done - self._before) / (now - self._start)
            left = (total - done) / rate
            print(f"{done:,} of {total:,} digits, {rate:,.0f} per second, {left:,.0f} s left", file=sys.stderr)
            self._last = now


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("digits"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("digits", total=None, rate="")

        def report(done: int, total: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield report
