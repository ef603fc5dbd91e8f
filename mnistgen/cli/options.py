"""Options shared by several commands, and their parsers."""

from typing import Annotated, Any, Literal

import typer

from mnistgen._errors import shown

LONGEST_LIST = 1_000_000  # whole numbers


def several(text: str) -> list[int]:
    """Parse comma-separated whole numbers, ranges and repeats, such as 7 or 2,0,2,6 or 0-4,7 or 1:3,7."""
    numbers: list[int] = []
    for part in text.split(","):
        bounds, _, times = part.partition(":")
        low, dash, high = bounds.strip().partition("-")
        try:
            first, last = (int(low), int(high)) if dash and low else (int(bounds), int(bounds))  # perhaps negative
            repeats = int(times or 1)
        except ValueError:
            raise typer.BadParameter(f"expected whole numbers, got {shown(part)}") from None
        if not (first <= last and repeats > 0 and (last - first + 1) * repeats <= LONGEST_LIST):
            raise typer.BadParameter(f"expected a range such as 0-4, or a repeat such as 1:3, got {shown(part)}")
        numbers += [*range(first, last + 1)] * repeats
    return numbers


def span(text: str) -> float | tuple[float, float]:
    """Parse a number, or a range of two such as 1.5:4; the library checks their limits."""
    low, colon, high = text.partition(":")
    try:
        return (float(low), float(high)) if colon else float(low)
    except ValueError:
        raise typer.BadParameter(f"expected a number or a range such as 1.5:4, got {shown(text)}") from None


def numbers(name: str, meaning: str) -> Any:
    """An option that takes comma-separated whole numbers and ranges."""
    return typer.Option(f"--{name}", parser=several, metavar="<int,...>", help=meaning, show_default=False)


def attribute(name: str, meaning: str, example: str) -> Any:
    """An option that takes a number or a range of numbers."""
    meaning = f"{meaning}: a number, or a range such as {example} to draw from."
    return typer.Option(f"--{name}", parser=span, metavar="<float[:float]>", help=meaning, show_default=False)


MODEL = "Name of a bundled model, or path of a model directory."

Model = Annotated[str, typer.Option(help=MODEL)]
NamedModel = Annotated[str, typer.Argument(help=MODEL)]
Seed = Annotated[
    int | None, typer.Option(help="The same seed gives the same digits. By default, a fresh seed is drawn.")
]
Scale = Annotated[int, typer.Option(help="Pixels of the picture per pixel of a digit, in each direction.")]
Thickness = Annotated[Any, attribute("thickness", "Stroke thickness in pixels", "1.7:4")]
Slant = Annotated[Any, attribute("slant", "Slant in radians, positive to the right", "-0.3:0.5")]
Width = Annotated[Any, attribute("width", "Width in pixels", "8:16")]
Height = Annotated[Any, attribute("height", "Height in pixels", "17:20")]
Truncation = Annotated[float, typer.Option(help="0 to 1: lower values give cleaner and less varied digits.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto selects CUDA if it works, else the CPU.")]
Threads = Annotated[int | None, typer.Option(help="Number of CPU threads. By default, the number of usable CPUs.")]
