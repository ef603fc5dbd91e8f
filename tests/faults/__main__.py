"""Run trials and print a table: python -m tests.faults --minutes 60 [--only NAME] [--seed N] [--index K]."""

import itertools
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.faults.harnesses import HARNESSES
from tests.faults.runner import Job, Tally, batches, run, table

LENGTH = 400  # maximum characters of a trial's description; --seed and --index repeat it


def main(
    minutes: Annotated[float, typer.Option(help="Duration.")] = 60.0,
    only: Annotated[str, typer.Option(help="Comma-separated harnesses.")] = ",".join(HARNESSES),
    seed: Annotated[int | None, typer.Option(help="Random seed.", show_default="a random one")] = None,
    index: Annotated[int | None, typer.Option(help="Run only this trial of each harness.", show_default="all")] = None,
) -> None:
    """Run trials, and print the first defects of each kind and a table. The exit code is 1 if there are defects."""
    names = only.split(",")
    if unknown := set(names) - HARNESSES.keys():
        sys.exit(f"tests.faults: expected {', '.join(HARNESSES)}, got {', '.join(sorted(unknown))}")
    number = secrets.randbits(32) if seed is None else seed
    until = time.monotonic() + 60 * minutes
    endless = ([job] for first in itertools.count() for batch in batches(names, number, first) for job in batch)
    jobs: Iterator[list[Job]] = itertools.takewhile(lambda job: time.monotonic() < until, endless)
    if index is not None:
        jobs = iter([[Job(name, number, index)] for name in names])
    tallies = {name: Tally() for name in names}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=60 * minutes)
        for job, outcome in run(jobs):
            if tallies[job.name].add(outcome):
                progress.console.print(
                    escape(f"{' '.join(map(str, job))}: {outcome.problem}\n  {outcome.tried[:LENGTH]}")
                )
            tried, defects = (
                sum(getattr(tally, field) for tally in tallies.values()) for field in ("tried", "defects")
            )
            done = 60 * minutes - (until - time.monotonic())
            progress.update(task, description=f"{tried:,} trials, {defects:,} defects", completed=done)
    print(f"Seed {number}.\n\n{table(tallies)}")
    sys.exit(any(tally.defects for tally in tallies.values()))


if __name__ == "__main__":
    typer.run(main)
