"""mnistgen reproduce: reproduce a file from the arguments that it records."""

from pathlib import Path
from typing import Annotated

import typer

import mnistgen
from mnistgen._cli.app import app, say
from mnistgen._cli.options import MODEL, Device, Threads


@app.command(epilog="Example: mnistgen reproduce grid.png")
def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture or a dataset.json, as mnistgen wrote it.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to write the reproduction. By default, nowhere."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help=f"{MODEL} By default, the model that the file names."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Reproduce a picture from its text fields, or a data set, and compare every pixel or byte."""
    again = mnistgen.reproduce(file, out, model=model, device=device, threads=threads)
    if not again.same:
        raise mnistgen.MnistgenError(again.message)
    say(again.message)
