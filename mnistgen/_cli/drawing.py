"""mnistgen sample, write, interpolate, walk: digits into a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from mnistgen._catalog import DEFAULT_MODEL
from mnistgen._cli.app import app, say
from mnistgen._cli.options import Device, Model, Scale, Seed, Threads, Truncation, number, several
from mnistgen._errors import InputError, plain

if TYPE_CHECKING:
    from mnistgen._drawings import Drawing
    from mnistgen._generator import Generator


@app.command(epilog="Example: mnistgen sample --out grid.png --n 64 --seed 1")
def sample(
    out: Annotated[str, typer.Option(help="NAME.png (a grid), NAME.npz, NAME.npy, or - for PNG on standard output.")],
    n: Annotated[int, number("n", "How many digits.")] = 64,
    digit: Annotated[
        Any, typer.Option(parser=several, metavar="DIGIT[,DIGIT...]", help="0 to 9, or several that come in turn.")
    ] = None,
    truncation: Truncation = 1.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    start: Annotated[int, number("start", "Index of the first digit in the seed.")] = 0,
    columns: Annotated[int | None, number("columns", "Of the grid.", "as square as can be")] = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw digits and write them to a file."""
    from mnistgen._drawings import DigitGrid
    from mnistgen._formats import Sample, check_target, write, write_grid
    from mnistgen._generator import Generator
    from mnistgen._images import check_pixels
    from mnistgen._provenance import Provenance

    to_stdout = out == "-"
    seed = _seed(seed)
    drawing = DigitGrid(n=n, digit=digit, truncation=truncation, seed=seed, start=start, columns=columns, scale=scale)
    if to_stdout and sys.stdout.isatty():
        raise InputError("--out -: standard output is a terminal; pipe it into a program, or name a file")
    if not to_stdout:
        check_target(Path(out))
    if to_stdout or Path(out).suffix.lower() in drawing.endings:
        check_pixels(*drawing.size)
    generator = Generator(model, device=device, threads=threads)
    images, labels = drawing.labelled(generator)
    made = Provenance.of(drawing, generator.card)
    drawn = Sample(
        images=images, labels=labels, columns=columns, scale=scale, fields=made.fields(), arrays=made.arrays()
    )
    if to_stdout:
        write_grid(sys.stdout.buffer, drawn)
        sys.stdout.buffer.flush()
    else:
        write(Path(out), drawn)
    _say(out, f"{n:,} digit{'s' * (n > 1)}", generator, drawing, sys.stderr if to_stdout else sys.stdout)


@app.command("write", epilog="Example: mnistgen write 2026 --out number.png --seed 1")
def writenumber(
    text: Annotated[str, typer.Argument(metavar="NUMBER", help="Digits; a space leaves a gap.")],
    out: Annotated[Path, typer.Option(help="NAME.png.")],
    truncation: Truncation = 1.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw a number in one handwriting style and write it to a picture."""
    from mnistgen._drawings import Number

    drawing = Number(text=text, truncation=truncation, seed=_seed(seed), scale=scale)
    _draw(out, plain(text), drawing, model, device, threads)


@app.command(epilog="Example: mnistgen interpolate --from 3 --to 8 --frames 60 --out walk.gif")
def interpolate(
    out: Annotated[Path, typer.Option(help="NAME.gif, NAME.apng or NAME.webp.")],
    first: Annotated[int | None, number("from", "The first digit.", default=False)] = None,
    last: Annotated[int | None, number("to", "The last digit.", default=False)] = None,
    frames: Annotated[int, number("frames", "Pictures from one to the other.")] = 60,
    fps: Annotated[float, typer.Option(help="Pictures a second, 1 to 100.")] = 20.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Turn one digit into another and write the animation; models without classes take no digits."""
    from mnistgen._drawings import Interpolation

    drawing = Interpolation(first=first, last=last, frames=frames, fps=fps, seed=_seed(seed), scale=scale)
    _draw(out, f"{frames} frames", drawing, model, device, threads)


@app.command(epilog="Example: mnistgen walk --corners 3,5,8,9 --out walk.png")
def walk(
    out: Annotated[Path, typer.Option(help="NAME.png.")],
    corners: Annotated[
        Any, typer.Option(parser=several, metavar="DIGIT,DIGIT,DIGIT,DIGIT", help="From left to right, top first.")
    ] = None,
    rows: Annotated[int, number("rows", "Digits from top to bottom.")] = 10,
    columns: Annotated[int, number("columns", "Digits from left to right.")] = 10,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw what lies between four digits, as a grid; models without classes take no digits."""
    from mnistgen._drawings import Walk

    drawing = Walk(corners=corners, rows=rows, columns=columns, seed=_seed(seed), scale=scale)
    _draw(out, f"{rows} times {columns} digits", drawing, model, device, threads)


def _seed(seed: int | None) -> int:
    """The seed, a fresh one where there is none."""
    from mnistgen._latents import fresh_seed

    return fresh_seed() if seed is None else seed


def _draw(out: Path, what: str, drawing: "Drawing", model: str, device: Device, threads: int | None) -> None:
    """Draw a picture, write it with what makes it again, and say so."""
    from mnistgen._formats import check_target
    from mnistgen._generator import Generator
    from mnistgen._images import check_pixels
    from mnistgen._provenance import Provenance

    check_target(out, drawing.endings)
    check_pixels(*drawing.size)
    generator = Generator(model, device=device, threads=threads)
    drawing.write(out, drawing.images(generator), Provenance.of(drawing, generator.card).fields())
    _say(out, what, generator, drawing)


def _say(out: str | Path, what: str, generator: "Generator", drawing: "Drawing", file: TextIO | None = None) -> None:
    """What was written where, and what makes it again."""
    start = f", start {drawing.index}" if drawing.index else ""
    say(f"{out}: {what} from {plain(generator.card.name)}, seed {drawing.seed}{start}", file)
