"""Model directories with a mutated card.json, through the API and the command line."""

import json
import random
from pathlib import Path

from mnistgen import Generator
from tests.conftest import write_model
from tests.faults.mutations import changed_json
from tests.faults.trials import Outcome, call_problem, command, command_problem

QUALITY = {
    "fid": {"mean": 3.25, "interval": 0.1, "real_digits": 0.5, "float32": 3.2},
    "accuracy": {"mean": 0.99, "interval": None},
    "judge": {"name": "quick", "digits": 10_000, "precise": True, "seeds": [1, 2]},
}
PRESET = {"batch_size": 64, "generator": {"widths": [16, 32], "final": "sigmoid"}, "quantization": None}


COMMANDS = (("info",), ("info", "--json"), ("sample", "--n", "2", "--seed", "1", "--out", "grid.png", "--model"))


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Run a command and use the API with a mutated card."""
    model = write_model(workdir / "model", conditional=source.random() < 0.5, quality=QUALITY, preset=PRESET)
    path = model / "card.json"
    content = changed_json(source, json.loads(path.read_bytes()))
    path.write_bytes(content)
    ended = command(*source.choice(COMMANDS), model, encoding=source.choice(("utf-8", "ascii")))
    return Outcome(f"card.json {content[:2000]!r}", command_problem(ended) or call_problem(lambda: _use(model)))


def _use(model: Path) -> None:
    generator = Generator(model, device="cpu", threads=1)
    generator.sample(3, seed=1)
    if generator.card.conditional:
        generator.number("12", seed=1)
        generator.interpolate(1, 2, frames=3, seed=1)
    else:
        generator.walk(rows=2, columns=2, seed=1)
