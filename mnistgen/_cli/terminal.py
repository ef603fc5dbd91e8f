"""Digits in the terminal: two pixels per character, as upper half blocks in two greys."""

from typing import Any

LINES = 2  # lines of digits by default
MARGIN = 2  # pixels omitted on every side of a digit
SIDE = 28 - 2 * MARGIN


def digits_across() -> int:
    """The number of digits that fit side by side in the terminal, at least 1."""
    from rich.console import Console

    return max(1, Console().width // SIDE)


def draw_in_terminal(images: Any, columns: int) -> None:
    """Show images uint8 (N, 28, 28), `columns` per line."""
    from rich.color import Color
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    inner = images[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    segments = []
    for first in range(0, len(inner), columns):
        line = inner[first : first + columns].swapaxes(0, 1).reshape(SIDE, -1)  # (24, 24 N)
        for upper, lower in zip(line[::2].tolist(), line[1::2].tolist(), strict=True):
            for above, below in zip(upper, lower, strict=True):
                greys = (Color.from_rgb(level, level, level) for level in (above, below))
                segments.append(Segment("▀", Style.from_color(*greys)))
            segments.append(Segment.line())
    Console().print(Segments(segments), end="")
