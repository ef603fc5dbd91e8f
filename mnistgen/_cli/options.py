"""What several commands take, and how it is read."""

from typing import Annotated, Any

import typer

from mnistgen import _devices as devices
from mnistgen._errors import shown


def whole(text: str) -> int:
    """A whole number, or a line that says what came instead. Its limits are checked where it is used."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"expected a whole number, got {shown(text)}") from None


def several(text: str) -> list[int]:
    """One whole number or several with commas between, or a line that says what came instead."""
    return [whole(part) for part in text.split(",")]


def number(name: str, meaning: str, default: str | bool = True) -> Any:
    """An option that takes a whole number."""
    return typer.Option(f"--{name}", parser=whole, metavar="INTEGER", help=meaning, show_default=default)


def numbers(name: str, meaning: str, default: str) -> Any:
    """An option that takes whole numbers with commas between."""
    return typer.Option(f"--{name}", parser=several, metavar="INTEGER[,INTEGER...]", help=meaning, show_default=default)


Model = Annotated[str, typer.Option(help="A bundled model, or the path of a model directory.")]
NamedModel = Annotated[str, typer.Argument(help="A bundled model, or the path of a model directory.")]
Seed = Annotated[int | None, number("seed", "Names the digits; without it, a fresh one is drawn.")]
Scale = Annotated[int, number("scale", "Pixels of the picture for each pixel of a digit.")]
Truncation = Annotated[float, typer.Option(help="0 to 1: less for cleaner and less varied digits.")]
Device = Annotated[devices.Device, typer.Option(help="Where the model runs.")]
Threads = Annotated[int | None, number("threads", "CPU threads, at most four for each CPU.", "the CPUs allowed")]
