"""The command line, written on the public API: arguments in, one line or one file out."""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from typer.exceptions import Abort, TyperException

from mnistgen import __version__
from mnistgen.catalog import DEFAULT_MODEL, find, models
from mnistgen.errors import InputError, MnistgenError, OutputError

if TYPE_CHECKING:
    from mnistgen.drawings import Drawing
    from mnistgen.generator import Generator

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="An endless MNIST in a small wheel: sample handwritten digits from small generators.",
)

PROGRESS_WIDTH = 72  # characters


def _whole(text: str) -> int:
    """A whole number, or a line that says what came instead. Its limits are checked where it is used."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"expected a whole number, got {text!r}") from None


def _several(text: str) -> list[int]:
    """One whole number or several with commas between, or a line that says what came instead."""
    return [_whole(part) for part in text.split(",")]


def _number(name: str, meaning: str, default: str | bool = True) -> Any:
    """An option that takes a whole number."""
    return typer.Option(f"--{name}", parser=_whole, metavar="INTEGER", help=meaning, show_default=default)


def _numbers(name: str, meaning: str, default: str) -> Any:
    """An option that takes whole numbers with commas between."""
    return typer.Option(
        f"--{name}", parser=_several, metavar="INTEGER[,INTEGER...]", help=meaning, show_default=default
    )


Model = Annotated[str, typer.Option(help="A bundled model, or the path of a model directory.")]
NamedModel = Annotated[str, typer.Argument(help="A bundled model, or the path of a model directory.")]
Seed = Annotated[int | None, _number("seed", "Names the digits; without it, a fresh one is drawn.")]
Scale = Annotated[int, _number("scale", "Pixels of the picture for each pixel of a digit.")]
Truncation = Annotated[float, typer.Option(help="0 to 1: less for cleaner and less varied digits.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, _number("threads", "CPU threads.", "the CPUs allowed")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mnistgen {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """What stands before any command."""


@app.command(epilog="Example: mnistgen sample --out grid.png --n 64 --seed 1")
def sample(
    out: Annotated[str, typer.Option(help="NAME.png (a grid), NAME.npz, NAME.npy, or - for PNG on standard output.")],
    n: Annotated[int, _number("n", "How many digits.")] = 64,
    digit: Annotated[
        Any, typer.Option(parser=_several, metavar="DIGIT[,DIGIT...]", help="0 to 9, or several that come in turn.")
    ] = None,
    truncation: Truncation = 1.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    start: Annotated[int, _number("start", "Index of the first digit in the seed.")] = 0,
    columns: Annotated[int | None, _number("columns", "Of the grid.", "as square as can be")] = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw digits and write them to a file."""
    from mnistgen.drawings import DigitGrid
    from mnistgen.formats import Sample, check_target, write, write_grid
    from mnistgen.generator import Generator
    from mnistgen.provenance import Provenance

    to_stdout = out == "-"
    seed = _seed(seed)
    drawing = DigitGrid(n=n, digit=digit, truncation=truncation, seed=seed, start=start, columns=columns, scale=scale)
    if to_stdout and sys.stdout.isatty():
        raise InputError("--out -: standard output is a terminal; pipe it into a program, or name a file")
    if not to_stdout:
        check_target(Path(out))
    generator = Generator(model, device=device, threads=threads)
    images, labels = drawing.labelled(generator)
    drawn = Sample(images=images, labels=labels, provenance=Provenance.of(drawing, generator.card))
    if to_stdout:
        write_grid(sys.stdout.buffer, drawn)
        sys.stdout.buffer.flush()
    else:
        write(Path(out), drawn)
    _say(out, f"{n:,} digit{'s' * (n > 1)}", generator, drawing, sys.stderr if to_stdout else sys.stdout)


@app.command("write", epilog="Example: mnistgen write 2026 --out number.png --seed 1")
def write_number(
    text: Annotated[str, typer.Argument(metavar="NUMBER", help="Digits; a space leaves a gap.")],
    out: Annotated[Path, typer.Option(help="NAME.png.")],
    truncation: Truncation = 1.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Set a number in one hand and write it to a picture."""
    from mnistgen.drawings import Number

    drawing = Number(text=text, truncation=truncation, seed=_seed(seed), scale=scale)
    _draw(out, text, drawing, model, device, threads)


@app.command(epilog="Example: mnistgen interpolate --from 3 --to 8 --frames 60 --out walk.gif")
def interpolate(
    out: Annotated[Path, typer.Option(help="NAME.gif, NAME.apng or NAME.webp.")],
    first: Annotated[int | None, _number("from", "The first digit.", default=False)] = None,
    last: Annotated[int | None, _number("to", "The last digit.", default=False)] = None,
    frames: Annotated[int, _number("frames", "Pictures from one to the other.")] = 60,
    fps: Annotated[float, typer.Option(help="Pictures a second, 1 to 100.")] = 20.0,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Turn one digit into another and write the animation; models without classes take no digits."""
    from mnistgen.drawings import Interpolation

    drawing = Interpolation(first=first, last=last, frames=frames, fps=fps, seed=_seed(seed), scale=scale)
    _draw(out, f"{frames} frames", drawing, model, device, threads)


@app.command(epilog="Example: mnistgen walk --corners 3,5,8,9 --out walk.png")
def walk(
    out: Annotated[Path, typer.Option(help="NAME.png.")],
    corners: Annotated[
        Any, typer.Option(parser=_several, metavar="DIGIT,DIGIT,DIGIT,DIGIT", help="From left to right, top first.")
    ] = None,
    rows: Annotated[int, _number("rows", "Digits from top to bottom.")] = 10,
    columns: Annotated[int, _number("columns", "Digits from left to right.")] = 10,
    model: Model = DEFAULT_MODEL,
    seed: Seed = None,
    scale: Scale = 2,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw what lies between four digits, as a grid; models without classes take no digits."""
    from mnistgen.drawings import Walk

    drawing = Walk(corners=corners, rows=rows, columns=columns, seed=_seed(seed), scale=scale)
    _draw(out, f"{rows} times {columns} digits", drawing, model, device, threads)


def _seed(seed: int | None) -> int:
    """The seed, a fresh one where there is none."""
    from mnistgen.latents import fresh_seed

    return fresh_seed() if seed is None else seed


def _draw(out: Path, what: str, drawing: "Drawing", model: str, device: str, threads: int | None) -> None:
    """Draw a picture, write it with what makes it again, and say so."""
    from mnistgen.formats import check_target
    from mnistgen.generator import Generator
    from mnistgen.provenance import Provenance

    check_target(out, drawing.endings)
    generator = Generator(model, device=device, threads=threads)
    drawing.write(out, drawing.draw(generator), Provenance.of(drawing, generator.card).fields())
    _say(out, what, generator, drawing)


def _say(out: str | Path, what: str, generator: "Generator", drawing: "Drawing", file: TextIO | None = None) -> None:
    """What was written where, and what makes it again."""
    start = f", start {drawing.index}" if drawing.index else ""
    print(f"{out}: {what} from {generator.card.name}, seed {drawing.seed}{start}", file=file)


@app.command(epilog="Example: mnistgen reproduce grid.png")
def reproduce(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="PNG, APNG, GIF or WebP, as mnistgen wrote it.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write what was drawn again.", show_default="nowhere")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A bundled model, or the path of a model directory.", show_default="what the picture names"),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw a picture again from its text fields, and compare the two pixel by pixel."""
    from mnistgen.reproduce import reproduce as draw_again

    again = draw_again(picture, out, model=model, device=device, threads=threads)
    if not again.same:
        raise MnistgenError(again.says)
    print(again.says)


@app.command("models", epilog="Example: mnistgen models --json")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False) -> None:
    """List the bundled models."""
    cards = models()
    if as_json:
        print(json.dumps({name: card.to_dict() for name, card in cards.items()}, indent=2))
        return
    width = max(map(len, cards), default=0)
    for name, card in cards.items():
        default = " (default)" if name == DEFAULT_MODEL else ""
        print(f"{name:{width}}  {card.parameters / 1e6:.1f} M parameters  {card.summary}{default}")


@app.command(epilog="Example: mnistgen info dcgan")
def info(
    model: NamedModel = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Show what is known of a model: its card."""
    card = find(model).card.to_dict()
    if as_json:
        print(json.dumps(card, indent=2))
        return
    for line in _lines(card):
        print(line)


def _lines(fields: dict[str, Any], indent: str = "") -> Iterator[str]:
    """A card as aligned lines, what is nested below its name."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if isinstance(value, dict) and "mean" not in value:
            yield f"{indent}{name}"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{name:{width}}  {_text(value)}"


def _text(value: Any) -> str:
    """A value of a card, for people."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return _figure(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(measured: dict[str, Any]) -> str:
    """A measured figure with its spread, beside those of real digits and of the model before quantisation."""
    spread = "" if measured["interval"] is None else f" ± {measured['interval']:.2g}"
    beside = [
        f"{name.replace('_', ' ')}: {measured[name]:.4g}" for name in ("real_digits", "float32") if name in measured
    ]
    return f"{measured['mean']:.4g}{spread}  ({', '.join(beside)})"


@app.command(epilog="Example: mnistgen bench --json")
def bench(
    model: NamedModel = DEFAULT_MODEL,
    batch: Annotated[Any, _numbers("batch", "Digits of a call.", "1,16,256,1024")] = None,
    threads: Annotated[Any, _numbers("threads", "CPU threads.", "1, 2, 4 ... the CPUs allowed")] = None,
    device: Device = "auto",
    seconds: Annotated[float, typer.Option(help="About how long it takes; slow models take longer.")] = 12.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure how fast a model is on this machine, and how fast the machine multiplies."""
    from mnistgen.bench import BATCHES, measure, table

    try:
        report = measure(
            model, device=device, threads=threads, batches=batch or BATCHES, seconds=seconds, progress=_show_progress
        )
    finally:
        _clear_progress()
    print(json.dumps(report.to_dict(), indent=2) if as_json else table(report))


def _show_progress(done: int, of: int, what: str) -> None:
    """One line on standard error that the next one takes the place of, where somebody sees it."""
    if sys.stderr.isatty():
        print(f"\r{f'{done} of {of} measured, now {what}':{PROGRESS_WIDTH}}", end="", file=sys.stderr, flush=True)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print(f"\r{'':{PROGRESS_WIDTH}}\r", end="", file=sys.stderr, flush=True)


@app.command(epilog="Example: mnistgen doctor --json")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Say what is installed and will be used, what is wrong and what mends it; exit code 1 where something is wrong."""
    from mnistgen.doctor import examine, is_wrong, table

    findings = examine()
    print(json.dumps([finding.to_dict() for finding in findings], indent=2) if as_json else table(findings))
    if is_wrong(findings):
        raise typer.Exit(1)


def main() -> None:
    """The entry point: every mistake ends in one line on standard error, with exit code 1, or 2 for wrong usage."""
    warnings.showwarning = _show_warning  # only here, in a process of our own
    try:
        code = typer.main.get_command(app).main(prog_name="mnistgen", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except InputError as error:
        _fail(str(error), 2)
    except MnistgenError as error:
        _fail(str(error), 1)
    except BrokenPipeError:  # whoever read standard output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(str(OutputError(f"standard output: {error.strerror}")), 1)
    except (Abort, KeyboardInterrupt):
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> None:
    print(f"mnistgen: {message}", file=sys.stderr)
    sys.exit(code)


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    print(f"mnistgen: {message}", file=sys.stderr)
