"""Checkpoints: sealed files of tensors with a JSON header, which says the preset, the stage and the step.

One that a run resumes from holds the whole TrainingState of a stage. A generator's file, such as those in
`training/weights` and RUN/generators, has the same form with the generator alone.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import Tensor

from mnistgen._errors import shown
from training import WEIGHTS as WEIGHTS
from training.config import Adversarial, Preset, change, explained, to_json
from training.errors import CheckpointError, PresetError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.run import sealed
from training.run.device import Precision
from training.run.outline import MISFITS, check_shapes, raised
from training.schedules import STRICT

FORMAT = 2

Steps = Annotated[int, Field(ge=0, lt=2**63)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Header:
    """What a checkpoint says of itself."""

    preset: Preset
    steps: tuple[Steps, ...] = Field(min_length=1)  # done in each stage so far; the last is that of the checkpoint
    seconds: Annotated[float, Field(ge=0)]  # of training up to here
    data_sha256: str  # of the file of training images
    device: str  # the kind of device it was trained on
    precision: Precision
    threads: Annotated[int, Field(ge=1, le=1_024)]
    format: int = FORMAT
    torch: str = str(torch.__version__)

    def __post_init__(self) -> None:
        """Raises CheckpointError for a stage that the preset does not have."""
        if len(self.steps) > len(self.preset.stages):
            raise CheckpointError(f"expected at most {len(self.preset.stages)} stages, got {len(self.steps)}")

    @property
    def stage(self) -> int:
        """Which of the preset's stages, from 0."""
        return len(self.steps) - 1

    @property
    def step(self) -> int:
        """Steps done in this stage."""
        return self.steps[-1]


_HEADERS: TypeAdapter[Header] = TypeAdapter(Header)


class Checkpoint:
    """A checkpoint in memory; tensor names begin with the part that they belong to: `generator.layers.0.weight`."""

    def __init__(self, header: Header, tensors: Mapping[str, Tensor]) -> None:
        self.header, self.tensors = header, tensors

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one part, without its prefix."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    @property
    def is_resumable(self) -> bool:
        """Whether it holds the state of a stage rather than a generator alone."""
        return "random.cpu" in self.tensors


@contextmanager
def fitting(checkpoint: Checkpoint) -> Iterator[None]:
    """Raises CheckpointError where what is restored within does not fit."""
    try:
        yield
    except MISFITS as error:
        name = checkpoint.header.preset.name
        raise CheckpointError(f"the checkpoint does not fit preset {name}: {raised(error)}") from None


def stored(value: Tensor) -> Tensor:
    """A generator's tensor as its file has it: matrices in float16, vectors (batch norm's among them) as they are."""
    return value.half() if value.is_floating_point() and value.ndim > 1 else value


def of_generator(generator: GeneratorNetwork, header: Header) -> Checkpoint:
    """A checkpoint of the generator alone: what is exported."""
    tensors = {f"generator.{key}": stored(value).cpu().contiguous() for key, value in generator.state_dict().items()}
    return Checkpoint(header, tensors)


def generator_of(checkpoint: Checkpoint) -> GeneratorNetwork:
    """The generator of a checkpoint that holds it alone; in evaluation mode, on the CPU.

    Raises CheckpointError for a checkpoint of a whole state, whose weights are not those that would be exported, and
    for weights that do not fit.
    """
    if checkpoint.is_resumable:
        raise CheckpointError("expected the file of a generator, such as RUN/generators has, got a training checkpoint")
    preset = checkpoint.header.preset
    check_shapes(preset, checkpoint.header.stage, checkpoint.part)
    generator = build_generator(preset.network_of(checkpoint.header.stage), preset.latent_dim)
    with fitting(checkpoint):
        generator.load_state_dict(
            {
                name: value.float() if value.is_floating_point() else value
                for name, value in checkpoint.part("generator").items()
            }
        )
    return generator.eval()


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole, making its folder where needed."""
    sealed.write(path, checkpoint.tensors, _HEADERS.dump_json(checkpoint.header).decode())


def read(path: Path) -> Checkpoint:
    """Read a checkpoint, on the CPU; no network is made.

    Raises CheckpointError for a file that is missing, cut off, changed, or not one of ours.
    """
    try:
        tensors, text = sealed.read(path)
        if json.loads(text)["format"] != FORMAT:
            raise ValueError(f"format is not {FORMAT}")
        checkpoint = Checkpoint(_HEADERS.validate_json(text), tensors)
        check_shapes(checkpoint.header.preset, checkpoint.header.stage, checkpoint.part)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (sealed.SealError, CheckpointError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (PresetError, ValidationError, RecursionError, *MISFITS) as error:
        reason = explained(error) if isinstance(error, PresetError | ValidationError) else raised(error)
        raise CheckpointError(f"{path}: not a checkpoint of this version of mnistgen ({reason})") from None
    return checkpoint


def check_preset(checkpoint: Checkpoint, preset: Preset) -> None:
    """Refuse to resume with another preset; only the number of epochs of an adversarial stage that has not been left
    may differ. Raises CheckpointError.
    """
    recorded, first = checkpoint.header.preset, preset.stages[0]
    if checkpoint.header.stage == 0 and isinstance(first, Adversarial):
        recorded = change(recorded, epochs=first.epochs)
    ours, theirs = (dict(_leaves(to_json(each))) for each in (preset, recorded))
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            raise CheckpointError(
                f"the checkpoint was trained with {name} {shown(theirs.get(name))}, the preset says "
                f"{shown(ours.get(name))}"
            )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers and texts in JSON types, each with the path that leads to it: `stages.0.epochs`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not items:
        yield name, value
    for key, item in items:
        yield from _leaves(item, f"{name}.{key}".removeprefix("."))


def check_data(checkpoint: Checkpoint, sha256: str) -> None:
    """Refuse to resume with other digits. Raises CheckpointError."""
    if checkpoint.header.data_sha256 != sha256:
        raise CheckpointError(f"the checkpoint was trained on images with SHA-256 {checkpoint.header.data_sha256}")


def compute_of(header: Header, device: torch.device) -> dict[str, Any]:
    """What `device.choose` must keep for the same bits; nothing where the kind of device changed."""
    return {"precision": header.precision, "threads": header.threads} if header.device == device.type else {}
