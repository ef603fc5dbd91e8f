"""Pages that are written from what is there: one for each model, from its card, and one for the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import typer.main

import mnistgen
from mnistgen._cli import app

# Of a card's figures: how the page calls it, and which way is better.
FIGURES = {
    "ratio": "Fréchet ratio, geometric mean of four judges (1 is a fresh draw of real digits)",
    "worst_ratio": "worst of the four",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "label_accuracy": "share of digits that a classifier reads as their label",
    "accuracy_score": "accuracy on real digits of a classifier that learned from 60,000 of these",
    "large_accuracy_score": "the same, from 600,000",
    "nearest_ratio": "distance to the nearest training digit, over that of test digits (far below 1 is copying)",
}
USES = """## Intended use and limitations

For teaching, tests, demonstrations, benchmarks and augmentation. Digits look like MNIST's: one grey digit on an empty
background of 28 by 28 pixels. A reader of cheques or forms that has only learned from these digits is no better than
one that has learned from MNIST. The model was not made to imitate any person's handwriting.
"""


def write(docs: Path) -> None:
    """Write all pages below a folder."""
    models = docs / "models"
    models.mkdir(exist_ok=True)
    for name, card in mnistgen.models().items():
        mnistgen.save(models / f"{name}.png", np.concatenate([mnistgen.generate(40, seed=1, model=name)]), columns=20)
        (models / f"{name}.md").write_text("\n".join(_model(name, card.to_dict())))
    (docs / "cli.md").write_text("\n".join(_command_line((docs / "_cli.md").read_text())))


def _model(name: str, card: dict[str, Any]) -> Iterator[str]:
    conditional = "class-conditional: draws the digit that is asked for" if card["conditional"] else "unconditional"
    yield f"# {name}\n\n{card['summary'].capitalize()}.\n"
    yield f"```{{image}} {name}.png\n:alt: Forty digits of {name}, seed 1, in two rows\n```\n"
    yield f"    mnistgen sample --model {name} --seed 1 -n 40 --columns 20 -o {name}.png\n"
    yield f"| | |\n| --- | --- |\n| kind | {conditional} |\n| latents | {card['latent_dim']}, {card['prior']} |"
    yield f"| parameters | {card['parameters']:,} |\n| multiply-adds an image | {card['multiply_adds']:,} |"
    yield f"| trained on | {card['data']['name']} |\n| licence | {card['licence']} |"
    yield f"| SHA-256 | `{card['sha256']}` |\n"
    quality = card["quality"] or {"figures": {}}
    seeds = ", ".join(map(str, quality.get("seeds", [])))
    yield f"## How good\n\nAgainst {quality.get('target')}; sampling seeds {seeds}; ± is half the 95 % interval.\n"
    yield "| figure | this model | real digits |\n| --- | --: | --: |"
    for key, title in FIGURES.items():
        if figure := quality["figures"].get(key):
            spread = "" if figure["interval"] is None else f" ± {figure['interval']:.2g}"
            real = "-" if figure["real_digits"] is None else f"{figure['real_digits']:.4g}"
            yield f"| {title} | {figure['mean']:.4g}{spread} | {real} |"
    yield f"\n{USES}\n## Hyperparameters\n\n```json\n{json.dumps(card['preset'], indent=2)}\n```\n"


def _command_line(introduction: str) -> Iterator[str]:
    yield f"# Command line\n\n{introduction}"
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        examples = command.epilog.partition(": ")[2].replace("; ", "\n    ")
        yield f"\n## mnistgen {name}\n\n{command.help}\n\n    {examples}\n"
        yield "| option | meaning |\n| --- | --- |"
        for parameter in command.params:
            named = parameter.opts[0].startswith("-")
            names = (
                ", ".join(f"`{option}`" for option in parameter.opts) if named else f"`{parameter.metavar or 'MODEL'}`"
            )
            default = parameter.default
            shown = f" Default: `{default}`." if parameter.show_default and default not in (None, False) else ""
            yield f"| {names} | {parameter.help or ''}{shown} |"
