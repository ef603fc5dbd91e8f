"""The command line, written on the public API: arguments in, one line or one file out."""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from mnistgen import __version__
from mnistgen.catalog import DEFAULT_MODEL, find, models
from mnistgen.errors import InputError, MnistgenError, OutputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="An endless MNIST in a small wheel: sample handwritten digits from small generators.",
)


def _whole(text: str) -> int:
    """A whole number, or a line that says what came instead. Its limits are checked where it is used."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"expected a whole number, got {text!r}") from None


Model = Annotated[str, typer.Option(help="A bundled model, or the path of a model directory.")]


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
    n: Annotated[int, typer.Option(parser=_whole, metavar="INTEGER", help="How many digits.")] = 64,
    digit: Annotated[
        int | None, typer.Option(parser=_whole, metavar="INTEGER", help="0 to 9, from class-conditional models only.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    seed: Annotated[
        int | None,
        typer.Option(parser=_whole, metavar="INTEGER", help="Names the digits; without it, a fresh one is drawn."),
    ] = None,
    columns: Annotated[
        int | None,
        typer.Option(parser=_whole, metavar="INTEGER", help="Of the grid.", show_default="as square as can be"),
    ] = None,
    scale: Annotated[
        int, typer.Option(parser=_whole, metavar="INTEGER", help="Pixels of the grid for each pixel of a digit.")
    ] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(parser=_whole, metavar="INTEGER", help="CPU threads.", show_default="the CPUs allowed")
    ] = None,
) -> None:
    """Draw digits and write them to a file."""
    from mnistgen.formats import Sample, check_target, write, write_grid
    from mnistgen.generator import Generator
    from mnistgen.images import check_grid
    from mnistgen.latents import fresh_seed

    to_stdout = out == "-"
    check_grid(columns, scale)
    if to_stdout and sys.stdout.isatty():
        raise InputError("--out -: standard output is a terminal; pipe it into a program, or name a file")
    if not to_stdout:
        check_target(Path(out))
    if seed is None:
        seed = fresh_seed()
    generator = Generator(model, device=device, threads=threads)
    if generator.card.conditional:
        images, labels = generator.sample(n, digit=digit, seed=seed, return_labels=True)
    else:
        images, labels = generator.sample(n, digit=digit, seed=seed), None
    drawn = Sample(images=images, labels=labels, model=generator.card.name, seed=seed, columns=columns, scale=scale)
    if to_stdout:
        write_grid(sys.stdout.buffer, drawn)
        sys.stdout.buffer.flush()
    else:
        write(Path(out), drawn)
    count = f"{n:,} digit{'s' * (n > 1)}"
    print(f"{out}: {count} from {generator.card.name}, seed {seed}", file=sys.stderr if to_stdout else sys.stdout)


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
    model: Annotated[str, typer.Argument(help="A bundled model, or the path of a model directory.")] = DEFAULT_MODEL,
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
    """A measured figure with its spread, beside that of real digits."""
    spread = "" if measured["interval"] is None else f" ± {measured['interval']:.2g}"
    return f"{measured['mean']:.4g}{spread}  (real digits: {measured['real_digits']:.4g})"


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
