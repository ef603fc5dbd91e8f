"""Generated pages: one for each bundled model, from its card, and one for the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mnistgen
from mnistgen.cli import get_command

# The titles of a card's figures.
FIGURES = {
    "ratio": "Fréchet ratio, geometric mean over four judges (1: a new sample of real digits)",
    "worst_ratio": "largest of the four Fréchet ratios",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "label_accuracy": "label accuracy: share of digits that a classifier assigns to their label",
    "accuracy_score": "accuracy on real digits of a classifier trained on 60,000 generated ones",
    "large_accuracy_score": "the same, trained on 600,000",
    "nearest_ratio": "distance to the nearest training digit, divided by that of test digits (far below 1: copies)",
}
USES = """## Intended use and limitations

For teaching, tests, demonstrations, benchmarks and data augmentation. The digits look like MNIST's: one grey digit on
an empty background of 28 by 28 pixels. A model for reading cheques or forms that was trained only on these digits is no
better than one trained on MNIST. The model was not made to imitate any person's handwriting.
"""


def write(docs: Path) -> None:
    """Write all generated pages into a folder."""
    models = docs / "models"
    models.mkdir(exist_ok=True)
    for name, card in mnistgen.models().items():
        mnistgen.save(models / f"{name}.png", mnistgen.generate(40, seed=1, model=name), columns=20)
        (models / f"{name}.md").write_text("\n".join(_model(name, card.to_dict())))
    (docs / "cli.md").write_text("\n".join(_command_line((docs / "_cli.md").read_text())))


def _model(name: str, card: dict[str, Any]) -> Iterator[str]:
    conditional = "class-conditional: generates the requested digit" if card["classes"] else "unconditional"
    yield f"# {name}\n\nThe model card (`card.json`) of the bundled model `{name}`. {card['summary'].capitalize()}.\n"
    yield f"```{{image}} {name}.png\n:alt: Forty digits of {name}, seed 1, in two rows\n```\n"
    yield f"    mnistgen sample --model {name} --seed 1 -n 40 --columns 20 -o {name}.png\n"
    yield f"| | |\n| --- | --- |\n| kind | {conditional} |\n| latents | {card['latent_dim']}, {card['prior']} |"
    yield f"| parameters | {card['parameters']:,} |\n| multiply-adds per image | {card['multiply_adds']:,} |"
    yield f"| trained on | {card['data']['name']} |\n| licence | {card['licence']} |"
    yield f"| SHA-256 | `{card['sha256']}` |\n"
    quality = card["quality"] or {"figures": {}}
    seeds = ", ".join(map(str, quality.get("seeds", [])))
    target = quality.get("target")
    yield f"## Quality\n\nMeasured against {target}; sampling seeds: {seeds}; ±: half the 95 % confidence interval.\n"
    yield "| figure | this model | real digits |\n| --- | --: | --: |"
    for key, title in FIGURES.items():
        if figure := quality["figures"].get(key):
            spread = "" if figure["interval"] is None else f" ± {figure['interval']:.2g}"
            real = "-" if figure["real_digits"] is None else f"{figure['real_digits']:.4g}"
            yield f"| {title} | {figure['mean']:.4g}{spread} | {real} |"
    yield f"\n{USES}\n## Hyperparameters\n\n```json\n{json.dumps(card['preset'], indent=2)}\n```\n"


def _command_line(introduction: str) -> Iterator[str]:
    yield f"# Command line\n\n{introduction}"
    for name, command in get_command().commands.items():
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
