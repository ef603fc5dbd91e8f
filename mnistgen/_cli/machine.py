"""mnistgen bench, doctor: speed of this machine, diagnosis of the installation."""

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
    batch: Annotated[Any, numbers("batch", "Digits per call. By default 1,16,256,1024.")] = None,
    threads: Annotated[Any, numbers("threads", "CPU threads. By default 1, 2, 4 ... up to all usable CPUs.")] = None,
    device: Device = "auto",
    seconds: Annotated[float, typer.Option(help="Approximate duration in seconds; slow models take longer.")] = 12.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure the speed of a model on this machine, compared with a plain matrix product."""
    try:
        report = mnistgen.benchmark(
            model, device=device, threads=threads, batches=batch, seconds=seconds, progress=_show_progress
        )
    finally:
        _clear_progress()
    print(json.dumps(report.to_dict(), indent=2) if as_json else report)


def _show_progress(done: int, of: int, what: str) -> None:
    """Show the progress on a terminal, in one line of standard error that the next call overwrites."""
    if sys.stderr.isatty():
        print(f"\r{f'{done} of {of} measured, now {what}':{PROGRESS_WIDTH}}", end="", file=sys.stderr, flush=True)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print(f"\r{'':{PROGRESS_WIDTH}}\r", end="", file=sys.stderr, flush=True)


@app.command(epilog="Example: mnistgen doctor --json")
def doctor(
    model: Annotated[
        str | None, typer.Option(help="Test this untrusted model in a separate process with limits on time and memory.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time limit of the model in seconds, 1 to 3600.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the installation and print a fix for each problem. Exit code 1 if there is a problem."""
    findings = mnistgen.doctor(model, seconds=seconds)
    print(json.dumps([finding.to_dict() for finding in findings], indent=2) if as_json else findings)
    if findings.wrong:
        raise typer.Exit(1)
