"""mnistgen sample, write, read, imitate, interpolate, walk: generate digits and write or show them."""

import json
import secrets
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import mnistgen
from mnistgen import DEFAULT_MODEL, Generator, InputError
from mnistgen._files import whole_file
from mnistgen._model import DIGITS
from mnistgen._pictures import checked_target
from mnistgen.cli import app, say
from mnistgen.cli.options import (
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
    numbers,
)

LINES = 2  # lines of digits in the terminal, by default
HIDDEN = 2  # pixels that the terminal omits on every side of a digit

COLUMNS = 2 + len(DIGITS)  # of a sheet: a digit, its reconstruction and the ten digits in its handwriting


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
        int | None, typer.Option("--n", "-n", help="Number of digits. By default 64, or two lines in the terminal.")
    ] = None,
    digit: Annotated[Any, numbers("digit", "Digits to generate, repeated cyclically: 7, 2,0,2,6 or 0-9.")] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", help="Class to generate. May be repeated.")] = None,
    truncation: Truncation = 1.0,
    thickness: Thickness = None,
    slant: Slant = None,
    width: Width = None,
    height: Height = None,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    start: Annotated[int, typer.Option(help="Index of the first digit in the seed.")] = 0,
    columns: Annotated[int | None, typer.Option(help="Columns of the grid. By default, those of a square.")] = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Generate digits and write them to a file, or show them in the terminal."""
    terminal = sys.stdout.isatty()
    if out is None and not terminal:
        raise InputError(
            "--out: expected a file, because standard output is not a terminal; - writes PNG to standard output"
        )
    if out == "-" and terminal:
        raise InputError("--out: expected a file or a pipe, got a terminal; omit --out, or name a file")
    if out is None:
        columns = _digits_across() if columns is None else columns
        n = LINES * columns if n is None else n
    elif out != "-":
        checked_target(out)  # before any work is done
    attributes = {"thickness": thickness, "slant": slant, "width": width, "height": height}
    wanted: dict[str, Any] = {
        "n": 64 if n is None else n,
        "digit": digit,
        "seed": _seed(seed),
        "start": start,
        "truncation": truncation,
        **attributes,
        **({"labels": Counter(labels)} if labels else {}),  # repeats are weights
    }
    generator = Generator(model, device=device, threads=threads)
    if generator.card.conditional:
        images, found = generator.sample_labelled(**wanted)
    else:
        images, found = generator.sample(**wanted), None
    if out is None:
        _show_in_terminal(images, columns or 1)
    else:
        mnistgen.save(
            sys.stdout.buffer if out == "-" else out,
            images,
            found if out.lower().endswith(".npz") else None,
            columns=columns,
            scale=scale,
            record=_record("sample", generator, wanted),
        )
    kind = "digit" if generator.card.classes in (DIGITS, None) else "image"
    what = f"{len(images):,} {kind}{'s' * (len(images) > 1)}"
    _say(out, what, generator, wanted)


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
    wanted: dict[str, Any] = {"text": text, "seed": _seed(seed), "truncation": truncation}
    _write(out, text, "number", wanted, Generator(model, device=device, threads=threads), scale=scale)


@app.command(epilog="Example: mnistgen imitate seven.png two.jpg --text 2026 -o number.png")
def imitate(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Photos, scans or drawings of handwritten digits.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.png.")],
    text: Annotated[str, typer.Option(help="Digits to write. A space leaves a gap.")] = "".join(DIGITS),
    show: Annotated[
        bool,
        typer.Option(
            "--show", help="Above the number, show each digit found, its reconstruction and all digits in its style."
        ),
    ] = False,
    labels: Annotated[Any, numbers("labels", "What the digits are, if some were misread.")] = None,
    steps: Annotated[int, typer.Option(help="Steps of refinement: reconstructions become more exact.")] = 0,
    model: Model = DEFAULT_MODEL,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write a number in the handwriting of some pictures of digits."""
    checked_target(out)  # before any work is done
    generator = Generator(model, device=device, threads=threads)
    images = _read(pictures, model).images
    encoded = generator.encode(images, labels, steps=steps or (5 if labels else 0))
    wanted: dict[str, Any] = {"text": text, "style": encoded.latents.mean(axis=0).tolist()}
    picture = generator.number(**wanted)
    if show:
        rows = [
            np.stack([image, *generator.decode(np.tile(style, (COLUMNS - 1, 1)), [label, *range(10)])])
            for image, style, label in zip(images, encoded.latents, labels or encoded.labels, strict=True)
        ]
        cells = picture.reshape(28, -1, 28).swapaxes(0, 1)  # (N, 28, 28)
        picture = mnistgen.grid(np.concatenate([*rows, cells]), COLUMNS)
    mnistgen.save(out, picture, scale=scale, record=_record("number", generator, wanted))
    found = f"{len(images)} digit{'s' * (len(images) > 1)} read as {', '.join(map(str, encoded.labels))}"
    say(f"{out}: {text} from {generator.card.name}, in the handwriting of {found}")


@app.command(epilog="Example: mnistgen read page.jpg --out seen.png")
def read(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Photos, scans or drawings of handwritten digits.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="NAME.png: the pictures with what was found drawn in.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print labels, confidences, boxes and what was rejected as JSON.")
    ] = False,
    model: Model = DEFAULT_MODEL,
) -> None:
    """Read the handwritten digits in pictures, and print them line by line."""
    if out and checked_target(out).suffix.lower() != ".png":
        raise InputError(f"{out}: expected a name ending in .png")
    reading = _read(pictures, model)
    if out:
        with whole_file(out) as file:
            reading.draw().save(file, "PNG")
    names = ("labels", "confidences", "boxes", "pages")
    found: dict[str, Any] = {name: getattr(reading, name).tolist() for name in names}
    found |= {"text": reading.text, "rejected": [it._asdict() for it in reading.rejected]}
    print(json.dumps(found) if as_json else reading.text)


@app.command(epilog="Example: mnistgen interpolate --from 3 --to 8 --frames 60 -o walk.gif")
def interpolate(
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.gif, NAME.apng or NAME.webp.")],
    first: Annotated[int | None, typer.Option("--from", help="The first digit.", show_default=False)] = None,
    last: Annotated[int | None, typer.Option("--to", help="The last digit.", show_default=False)] = None,
    frames: Annotated[int, typer.Option(help="Number of frames.")] = 60,
    fps: Annotated[float, typer.Option(help="Frames per second, 1 to 100.")] = 20.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write an animation of one digit turning into another. Unconditional models take no digits."""
    wanted: dict[str, Any] = {"first": first, "last": last, "frames": frames, "seed": _seed(seed)}
    generator = Generator(model, device=device, threads=threads)
    _write(out, f"{frames} frames", "interpolate", wanted, generator, fps=fps, scale=scale)


@app.command(epilog="Example: mnistgen walk --corners 3,5,8,9 -o walk.png")
def walk(
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.png.")],
    corners: Annotated[Any, numbers("corners", "Four digits: top left, top right, bottom left, bottom right.")] = None,
    rows: Annotated[int, typer.Option(help="Number of rows.")] = 10,
    columns: Annotated[int, typer.Option(help="Number of columns.")] = 10,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write a grid of interpolations between four digits. Unconditional models take no digits."""
    wanted = {"corners": corners, "rows": rows, "columns": columns, "seed": _seed(seed)}
    generator = Generator(model, device=device, threads=threads)
    _write(out, f"{rows} x {columns} digits", "walk", wanted, generator, columns=columns, scale=scale)


def _read(pictures: list[Path], model: str) -> "mnistgen.Reading":
    """Read pictures, and say on standard error how much was found and not read."""
    reading = mnistgen.read_digits(pictures, model=model)
    if many := len(reading.rejected):
        say(f"mnistgen: parts of the pictures not read: {many}; mnistgen read --out seen.png shows them", sys.stderr)
    return reading


def _seed(seed: int | None) -> int:
    """The seed; by default a fresh one, short enough to type."""
    return secrets.randbits(32) if seed is None else seed


def _write(out: Path, what: str, method: str, wanted: Mapping[str, Any], generator: Generator, **options: Any) -> None:
    """Write the digits of a method of the generator."""
    checked_target(out)  # before any work is done
    images = getattr(generator, method)(**wanted)
    mnistgen.save(out, images, record=_record(method, generator, wanted), **options)
    _say(out, what, generator, wanted)


def _record(method: str, generator: Generator, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a file records: the model, and the method of `Generator` and its arguments that give the same digits."""
    card = generator.card
    known: dict[str, Any] = {"model": card.name, "sha256": card.sha256}  # its path is deliberately omitted
    if "seed" in wanted:
        known |= {"seed": np.uint64(wanted["seed"]), "start": np.int64(wanted.get("start", 0))}
    return known | {"method": method, "arguments": json.dumps(wanted)}


def _say(out: str | Path | None, what: str, generator: Generator, wanted: Mapping[str, Any]) -> None:
    """Print what was written, and the seed that reproduces it."""
    start = f", start {wanted['start']}" if wanted.get("start") else ""
    place = "" if out is None else f"{out}: "
    line = f"{place}{what} from {generator.card.name}, seed {wanted['seed']}{start}"
    say(line, sys.stderr if out == "-" else sys.stdout)


def _digits_across() -> int:
    """The number of digits that fit side by side in the terminal, at least 1."""
    from rich.console import Console

    return max(1, Console().width // (28 - 2 * HIDDEN))


def _show_in_terminal(images: NDArray[np.uint8], columns: int) -> None:
    """Show images uint8 (N, 28, 28), `columns` per line: two pixels per character, as upper half blocks."""
    from rich.color import Color
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    inner = images[:, HIDDEN:-HIDDEN, HIDDEN:-HIDDEN]
    segments = []
    for first in range(0, len(inner), columns):
        line = inner[first : first + columns].swapaxes(0, 1).reshape(len(inner[0]), -1)  # (24, 24 N)
        for upper, lower in zip(line[::2].tolist(), line[1::2].tolist(), strict=True):
            for above, below in zip(upper, lower, strict=True):
                greys = (Color.from_rgb(level, level, level) for level in (above, below))
                segments.append(Segment("▀", Style.from_color(*greys)))
            segments.append(Segment.line())
    Console().print(Segments(segments), end="")
