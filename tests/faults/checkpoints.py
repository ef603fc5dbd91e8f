"""Training checkpoints, changed, read as training and export read them."""

import functools
import json
import random
import runpy
import tempfile
from pathlib import Path
from typing import Any

from tests.faults.mutations import changed_bytes, changed_json
from tests.faults.trials import Outcome, call_problem, command_problem, script

EXPORT = Path(__file__).resolve().parents[2] / "export" / "export.py"


@functools.cache
def original() -> bytes:
    """Slim weights of a small preset."""
    from tests.training.small import SMALL
    from training.networks import build_generator
    from training.run.checkpoint import Header, of_generator, write

    preset = SMALL["mlp"]
    generator = build_generator(preset.network, preset.latent_dim)
    header = Header(
        preset=preset, steps=(3,), seconds=1.0, data_sha256="ab", device="cpu", precision="float32", threads=1
    )
    path = Path(tempfile.mkdtemp(), "small.safetensors")
    write(path, of_generator(generator, header))
    return path.read_bytes()


def trial(source: random.Random, place: Path) -> Outcome:
    """Read it, build its generator, and now and then export it."""
    from training.errors import TrainingError
    from training.run.checkpoint import generator_of, read

    content = source.choice((_bytes, _header, _metadata, _metadata))(source, original())
    path = place / "changed.safetensors"
    path.write_bytes(content)
    tried = f"a header of {content[:8]!r}, then {content[8:1500]!r}"
    opened: list[Any] = []
    problem = call_problem(lambda: opened.append(generator_of(read(path))), TrainingError)
    if not problem and source.random() < (0.01 if opened else 0.1):  # which takes seconds where it succeeds
        problem = command_problem(script(_export, EXPORT, path, "--out", place / "model"), prefix="export.py: ")
    return Outcome(tried, problem)


def _bytes(source: random.Random, content: bytes) -> bytes:
    return changed_bytes(source, content)


def _header(source: random.Random, content: bytes) -> bytes:
    """The JSON in front of the tensors."""
    size = int.from_bytes(content[:8], "little")
    text = changed_json(source, json.loads(content[8 : 8 + size]))
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _metadata(source: random.Random, content: bytes) -> bytes:
    """What the header says of the run: preset, steps, precision; half of the time with the checksum of the change."""
    from safetensors.torch import load

    from training.run import sealed

    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    fields = header["__metadata__"]
    fields["mnistgen"] = changed_json(source, json.loads(fields["mnistgen"])).decode(errors="replace")
    if source.random() < 0.5:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "sealed.safetensors")
            sealed.write(path, load(content), fields["mnistgen"])
            return path.read_bytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _export() -> None:
    runpy.run_path(str(EXPORT), run_name="__main__")
