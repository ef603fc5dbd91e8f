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
from mnistgen._model import DIGITS
from mnistgen.cli import app, say
from mnistgen.cli.options import Height, Model, Seed, Slant, Thickness, Width, numbers

INTERVAL = 10.0  # seconds between two lines of progress, if standard error is not a terminal
LISTED = 12  # files that the summary lists; dataset.json has all


@app.command(epilog="Example: mnistgen dataset -o data -n 60000 --test 10000 --seed 1")
def dataset(
    out: Annotated[str, typer.Option("--out", "-o", help="A folder, new or empty.")],
    n: Annotated[int, typer.Option("--n", "-n", help="Size of the training split.")] = 60_000,
    test: Annotated[
        int | None,
        typer.Option(help="Size of the test split. By default a sixth of the training split, at most 10,000."),
    ] = None,
    format: Annotated[  # noqa: A002 - what users call it
        str, typer.Option(help="idx (MNIST's own format), npz (as in Keras), png, parquet or webdataset.")
    ] = "idx",
    digits: Annotated[
        Any, numbers("digits", "Digits to include, such as 3,5 or 0-4. Repeats are weights: 1,1,7 or 1:2,7.")
    ] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", help="Class to include. May be repeated.")] = None,
    balance: Annotated[str, typer.Option(help="uniform, or mnist for the class frequencies of MNIST.")] = "uniform",
    thickness: Thickness = None,
    slant: Slant = None,
    width: Width = None,
    height: Height = None,
    style: Annotated[
        list[Path] | None,
        typer.Option(help="A picture of digits, in whose handwriting all are generated. May be repeated."),
    ] = None,
    spread: Annotated[float, typer.Option(help="With --style: spread of the handwriting around it, 0 to 1.")] = 0.3,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    start: Annotated[int, typer.Option(help="Index of the first training digit.")] = 0,
    shard_size: Annotated[int, typer.Option(help="Digits per file of parquet and webdataset.")] = 10_000,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing data set.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print neither progress nor a summary.")] = False,
) -> None:
    """Write a labelled data set in a common format; the same arguments give the same bytes."""
    attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
    latents = None
    if style:
        latents = mnistgen.Generator(model).encode(mnistgen.read_digits(style, model=model).images).latents
    with _progress(quiet) as report:
        summary = mnistgen.write_dataset(
            out,
            n=n,
            test=test,
            format=format,
            digits=[*(digits or ()), *(labels or ())] or None,
            balance=balance,
            **attributes,
            style=latents,
            spread=spread,
            model=model,
            seed=seed,
            start=start,
            shard_size=shard_size,
            force=force,
            report=report,
        )
    if quiet:
        return
    images = " and ".join(f"{sum(counts):,} {split}" for split, counts in summary.counts.items())
    card = mnistgen.card(model)
    kind = "digit" if card.classes == DIGITS else "image"
    say(f"{out}: {images} {kind}s from {card.name}, seed {summary.seed}, as {format}")
    rows = [[kind, *(card.classes or ())]]
    rows += [[split, *(f"{count:,}" for count in counts)] for split, counts in summary.counts.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        columns = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        say(f"  {name:{widths[0]}}  {'  '.join(columns)}")
    if len(summary.files) <= LISTED:
        for name, sha256 in summary.files.items():
            say(f"  {sha256}  {name}")
    say(f"  described by {out}/dataset.json, with the SHA-256 of each of {len(summary.files):,} files")


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, a line every ten seconds elsewhere, or nothing if quiet."""
    start = last = time.monotonic()

    def print_line(done: int, total: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= INTERVAL:
            last, rate = now, done / (now - start)
            left = (total - done) / rate
            print(f"{done:,} of {total:,} digits, {rate:,.0f} per second, {left:,.0f} s left", file=sys.stderr)

    if quiet:
        yield lambda done, total: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("digits"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("digits", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        yield print_line
