"""mnistgen reproduce: what a file says made it, made again."""

from pathlib import Path
from typing import Annotated

import typer

from mnistgen._cli.app import app, say
from mnistgen._cli.options import MODEL, Device, Threads
from mnistgen._errors import MnistgenError


@app.command(epilog="Example: mnistgen reproduce grid.png")
def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A picture or a dataset.json, as mnistgen wrote it.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to write what was drawn again; nowhere by default."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help=f"{MODEL} By default, the model that the file names."),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw a picture again from its text fields, or make a data set again, and compare: every pixel, every byte."""
    from mnistgen._reproduce import reproduce as draw_again

    again = draw_again(file, out, model=model, device=device, threads=threads)
    if not again.same:
        raise MnistgenError(again.says)
    say(again.says)
