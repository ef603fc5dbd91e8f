"""mnistgen sample, write, interpolate, walk: generate digits and write or show them."""

import secrets
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

import mnistgen
from mnistgen import DEFAULT_MODEL
from mnistgen._cli.app import app, say
from mnistgen._cli.options import (
    Device,
    Height,
    Model,
    Scale,
    Seed,
    Slant,
    Thickness,
    Threads,
    Truncation,
    Width,
    number,
    numbers,
)
from mnistgen._cli.terminal import LINES, digits_across, draw_in_terminal
from mnistgen._errors import plain


@app.command(epilog="Examples: mnistgen sample; mnistgen sample -o grid.png -n 64 --seed 1")
def sample(
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="NAME.png (a grid), NAME.npz, NAME.npy, or - for PNG on standard output. "
            "By default, digits are shown in the terminal.",
        ),
    ] = None,
    n: Annotated[
        int | None,
        number("n", "Number of digits. By default 64, or two lines in the terminal.", short="-n"),
    ] = None,
    digit: Annotated[Any, numbers("digit", "Digits to generate, repeated cyclically: 7, 2,0,2,6 or 0-9.")] = None,
    truncation: Truncation = 1.0,
    thickness: Thickness = None,
    slant: Slant = None,
    width: Width = None,
    height: Height = None,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    start: Annotated[int, number("start", "Index of the first digit in the seed.")] = 0,
    columns: Annotated[int | None, number("columns", "Columns of the grid. By default, those of a square.")] = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Generate digits and write them to a file, or show them in the terminal."""
    terminal = sys.stdout.isatty()
    if out is None and not terminal:
        raise mnistgen.InputError(
            "--out: expected a file, because standard output is not a terminal; - writes PNG to standard output"
        )
    if out == "-" and terminal:
        raise mnistgen.InputError("--out: expected a file or a pipe, got a terminal; omit --out, or name a file")
    if out is None:
        columns = columns or digits_across()
        n = n or LINES * columns
    n = 64 if n is None else n
    drawing = mnistgen.drawings.DigitGrid(
        n=n,
        digit=digit,
        truncation=truncation,
        thickness=thickness,
        slant=slant,
        width=width,
        height=height,
        seed=_seed(seed),
        start=start,
        columns=columns,
        scale=scale,
    )
    generator = mnistgen.Generator(model, device=device, threads=threads)
    if out is None:
        draw_in_terminal(drawing.images(generator), columns or 1)
    elif out == "-":
        sys.stdout.buffer.write(drawing.png(generator))
        sys.stdout.buffer.flush()
    else:
        drawing.save(out, generator)
    what = f"{n:,} digit{'s' * (n > 1)}"
    _say(out, what, generator, drawing, sys.stderr if out == "-" else sys.stdout)


@app.command(epilog="Example: mnistgen write 2026 -o number.png --seed 1")
def write(
    text: Annotated[str, typer.Argument(metavar="NUMBER", help="Digits. A space leaves a gap.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.png.")],
    truncation: Truncation = 1.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write a picture of a number in one handwriting style."""
    drawing = mnistgen.drawings.Number(text=text, truncation=truncation, seed=_seed(seed), scale=scale)
    _draw(out, plain(text), drawing, model, device, threads)


@app.command(epilog="Example: mnistgen interpolate --from 3 --to 8 --frames 60 -o walk.gif")
def interpolate(
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.gif, NAME.apng or NAME.webp.")],
    first: Annotated[int | None, number("from", "The first digit.", show_default=False)] = None,
    last: Annotated[int | None, number("to", "The last digit.", show_default=False)] = None,
    frames: Annotated[int, number("frames", "Number of frames.")] = 60,
    fps: Annotated[float, typer.Option(help="Frames per second, 1 to 100.")] = 20.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write an animation of one digit turning into another. Unconditional models take no digits."""
    drawing = mnistgen.drawings.Interpolation(
        first=first, last=last, frames=frames, fps=fps, seed=_seed(seed), scale=scale
    )
    _draw(out, f"{frames} frames", drawing, model, device, threads)


@app.command(epilog="Example: mnistgen walk --corners 3,5,8,9 -o walk.png")
def walk(
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.png.")],
    corners: Annotated[Any, numbers("corners", "Four digits: top left, top right, bottom left, bottom right.")] = None,
    rows: Annotated[int, number("rows", "Number of rows.")] = 10,
    columns: Annotated[int, number("columns", "Number of columns.")] = 10,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write a grid of interpolations between four digits. Unconditional models take no digits."""
    drawing = mnistgen.drawings.Walk(corners=corners, rows=rows, columns=columns, seed=_seed(seed), scale=scale)
    _draw(out, f"{rows} x {columns} digits", drawing, model, device, threads)


def _seed(seed: int | None) -> int:
    """The seed; by default a fresh one, short enough to type."""
    return secrets.randbits(32) if seed is None else seed


def _draw(
    out: Path, what: str, drawing: "mnistgen.drawings.Drawing", model: str, device: Device, threads: int | None
) -> None:
    generator = mnistgen.Generator(model, device=device, threads=threads)
    drawing.save(out, generator)
    _say(out, what, generator, drawing)


def _say(
    out: str | Path | None,
    what: str,
    generator: "mnistgen.Generator",
    drawing: "mnistgen.drawings.Drawing",
    file: TextIO | None = None,
) -> None:
    """Print what was written, and the seed that reproduces it."""
    start = f", start {drawing.index}" if drawing.index else ""
    place = "" if out is None else f"{out}: "
    say(f"{place}{what} from {plain(generator.card.name)}, seed {drawing.seed}{start}", file)
