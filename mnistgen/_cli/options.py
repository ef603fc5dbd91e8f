"""Options shared by several commands, and their parsers."""

from typing import Annotated, Any, Literal

import typer

from mnistgen._errors import shown

LONGEST_RANGE = 1_000


def whole(text: str) -> int:
    """Parse a whole number; the library checks its range."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"expected a whole number, got {shown(text)}") from None


def several(text: str) -> list[int]:
    """Parse comma-separated whole numbers and ranges, such as 7 or 2,0,2,6 or 0-4,7."""
    numbers: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not (dash and low):  # one number, perhaps negative; the library checks its range
            numbers.append(whole(part))
            continue
        first, last = whole(low), whole(high)
        if not first <= last < first + LONGEST_RANGE:
            raise typer.BadParameter(f"expected a range such as 0-4, got {shown(part)}")
        numbers += range(first, last + 1)
    return numbers


def number(name: str, meaning: str, *, short: str | None = None, show_default: bool = True) -> Any:
    """An option that takes a whole number."""
    names = [f"--{name}", *([short] if short else [])]
    return typer.Option(*names, parser=whole, metavar="<int>", help=meaning, show_default=show_default)


def numbers(name: str, meaning: str) -> Any:
    """An option that takes comma-separated whole numbers and ranges."""
    return typer.Option(f"--{name}", parser=several, metavar="<int,...>", help=meaning, show_default=False)


def span(text: str) -> float | tuple[float, float]:
    """A number, or a range of two such as 1.5:4; the library checks their limits."""
    try:
        low, colon, high = text.partition(":")
        return (float(low), float(high)) if colon else float(low)
    except ValueError:
        raise typer.BadParameter(f"expected a number or a range such as 1.5:4, got {shown(text)}") from None


def attribute(name: str, meaning: str) -> Any:
    """An option that takes a number or a range of numbers."""
    help_text = f"{meaning}: a number, or a range such as {EXAMPLES[name]} to draw from."
    return typer.Option(f"--{name}", parser=span, metavar="<float[:float]>", help=help_text, show_default=False)


EXAMPLES = {"thickness": "1.7:4", "slant": "-0.3:0.5", "width": "8:16", "height": "17:20"}
MODEL = "Name of a bundled model, or path of a model directory."

Model = Annotated[str, typer.Option(help=MODEL)]
NamedModel = Annotated[str, typer.Argument(help=MODEL)]
Seed = Annotated[int | None, number("seed", "The same seed gives the same digits. By default, a fresh seed is drawn.")]
Scale = Annotated[int, number("scale", "Pixels of the picture per pixel of a digit, in each direction.")]
Thickness = Annotated[Any, attribute("thickness", "Stroke thickness in pixels")]
Slant = Annotated[Any, attribute("slant", "Slant in radians, positive to the right")]
Width = Annotated[Any, attribute("width", "Width in pixels")]
Height = Annotated[Any, attribute("height", "Height in pixels")]
Truncation = Annotated[float, typer.Option(help="0 to 1: lower values give cleaner and less varied digits.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto selects CUDA if it works, else the CPU.")]
Threads = Annotated[int | None, number("threads", "Number of CPU threads. By default, the number of usable CPUs.")]
