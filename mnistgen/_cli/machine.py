"""mnistgen bench, doctor: the speed of this machine, and problems of the installation."""

import json
import sys
from typing import Annotated, Any

import typer

import mnistgen
from mnistgen import DEFAULT_MODEL
from mnistgen._cli.app import app
from mnistgen._cli.options import Device, NamedModel, numbers

PROGRESS_WIDTH = 72  # characters


@app.command(epilog="Example: mnistgen bench --json")
def bench(
    model: NamedModel = DEFAULT_MODEL,
    batch: Annotated[Any, numbers("batch", "Digits a call. By default 1,16,256,1024.")] = None,
    threads: Annotated[Any, numbers("threads", "CPU threads. By default 1, 2, 4 ... up to all CPUs.")] = None,
    device: Device = "auto",
    seconds: Annotated[float, typer.Option(help="How long to measure, in seconds; slow models take longer.")] = 12.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure how fast a model is on this machine, and how fast the machine multiplies matrices."""
    try:
        report = mnistgen.benchmark(
            model, device=device, threads=threads, batches=batch, seconds=seconds, progress=_show_progress
        )
    finally:
        _clear_progress()
    print(json.dumps(report.to_dict(), indent=2) if as_json else report)


def _show_progress(done: int, of: int, what: str) -> None:
    """One line on standard error, overwritten by the next, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{f'{done} of {of} measured, now {what}':{PROGRESS_WIDTH}}", end="", file=sys.stderr, flush=True)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print(f"\r{'':{PROGRESS_WIDTH}}\r", end="", file=sys.stderr, flush=True)


@app.command(epilog="Example: mnistgen doctor --json")
def doctor(
    model: Annotated[
        str | None, typer.Option(help="Open and sample this model in a process with limits on time and memory.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long the model may take, in seconds.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the installation: what will be used, what is wrong and how to fix it. Exit code 1 if anything is wrong."""
    findings = mnistgen.doctor(model, seconds=seconds)
    print(json.dumps([finding.to_dict() for finding in findings], indent=2) if as_json else findings)
    if findings.wrong:
        raise typer.Exit(1)
