"""Mutated training checkpoints, through training and export."""

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
    """A generator file of a small preset."""
    from tests.training.small import SMALL
    from training.networks import build_generator
    from training.run.checkpoint import Header, generator_checkpoint, write

    preset = SMALL["mlp"]
    generator = build_generator(preset.network, preset.latent_dim)
    header = Header(
        preset=preset, steps=(3,), seconds=1.0, data_sha256="ab", device="cpu", precision="float32", threads=1
    )
    path = Path(tempfile.mkdtemp(), "small.safetensors")
    write(path, generator_checkpoint(generator, header))
    return path.read_bytes()


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Read a mutated file, build its generator, and sometimes export it."""
    from training.errors import TrainingError
    from training.run.checkpoint import generator_of, read

    content = source.choice((_bytes, _header, _metadata, _metadata))(source, original())
    path = workdir / "changed.safetensors"
    path.write_bytes(content)
    tried = f"a header of {content[:8]!r}, then {content[8:1500]!r}"
    opened: list[Any] = []
    problem = call_problem(lambda: opened.append(generator_of(read(path))), TrainingError)
    if not problem and source.random() < (0.01 if opened else 0.1):  # slow if it succeeds
        problem = command_problem(script(_export, EXPORT, path, "--out", workdir / "model"), prefix="export.py: ")
    return Outcome(tried, problem)


def _bytes(source: random.Random, content: bytes) -> bytes:
    return changed_bytes(source, content)


def _header(source: random.Random, content: bytes) -> bytes:
    """Mutate the JSON header of the safetensors file."""
    size = int.from_bytes(content[:8], "little")
    text = changed_json(source, json.loads(content[8 : 8 + size]))
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _metadata(source: random.Random, content: bytes) -> bytes:
    """Mutate the metadata (preset, steps, precision, ...), half of the time with a valid checksum."""
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
