"""mnistgen imitate: write a number in the handwriting of some pictures."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import mnistgen
from mnistgen import DEFAULT_MODEL
from mnistgen._cli.app import app, say
from mnistgen._cli.options import Device, Model, Scale, Threads, number
from mnistgen._errors import plain

DIGITS = "0123456789"
COLUMNS = 2 + len(DIGITS)  # of the sheet: a digit, its reconstruction and the ten digits in its handwriting


@app.command(epilog="Example: mnistgen imitate seven.png two.jpg --text 2026 -o number.png")
def imitate(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Photos, scans or drawings of handwritten digits.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="NAME.png.")],
    text: Annotated[str, typer.Option(help="Digits to write. A space leaves a gap.")] = DIGITS,
    show: Annotated[
        bool,
        typer.Option(
            "--show", help="Above the number, show each digit found, its reconstruction and all digits in its style."
        ),
    ] = False,
    steps: Annotated[int, number("steps", "Steps of refinement: reconstructions become more exact.")] = 0,
    model: Model = DEFAULT_MODEL,
    scale: Scale = 4,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write a number in the handwriting of some pictures of digits."""
    generator = mnistgen.Generator(model, device=device, threads=threads)
    images = mnistgen.read_digits(pictures)
    encoded = generator.encode(images, steps=steps, return_labels=True)
    drawing = mnistgen.drawings.Number(text=text, style=encoded.latents.mean(axis=0).tolist(), scale=scale)
    if show:
        rows = [
            np.stack([image, *generator.decode(np.tile(style, (COLUMNS - 1, 1)), [label, *range(10)])])
            for image, style, label in zip(images, *encoded, strict=True)
        ]
        cells = drawing.images(generator)[0].reshape(28, -1, 28).transpose(1, 0, 2)  # (N, 28, 28)
        mnistgen.save(out, np.concatenate([*rows, cells]), columns=COLUMNS, scale=scale)
    else:
        drawing.save(out, generator)
    found = f"{len(images)} digit{'s' * (len(images) > 1)} read as {', '.join(map(str, encoded.labels))}"
    say(f"{out}: {plain(text)} from {plain(generator.card.name)}, in the handwriting of {found}")
