"""mnistgen reproduce: regenerate a file from the arguments that it records."""

from pathlib import Path
from typing import Annotated

import typer

import mnistgen
from mnistgen._cli.app import app, say
from mnistgen._cli.options import MODEL, Device, Threads


@app.command(epilog="Example: mnistgen reproduce grid.png")
def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture or dataset.json written by mnistgen.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Output file or folder for the reproduction. By default, none."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help=f"{MODEL} By default, the recorded model."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Regenerate a picture from its text fields, or a data set from its dataset.json, and compare both."""
    again = mnistgen.reproduce(file, out, model=model, device=device, threads=threads)
    if not again.same:
        raise mnistgen.MnistgenError(again.message)
    say(again.message)
