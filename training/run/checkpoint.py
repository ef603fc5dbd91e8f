"""Checkpoints: tensors and a JSON header, with preset, stage and step, in one file with a checksum.

A training checkpoint holds the TrainingState of a stage, to resume from. A generator file, as in `training/weights` and
RUN/generators, has the same format but holds the generator only.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from mnistgen._errors import shown
from training import WEIGHTS as WEIGHTS
from training.config import Adversarial, Encoder, Preset, change, to_json, validation_message
from training.errors import CheckpointError, PresetError
from training.networks import build_encoder, build_generator
from training.networks.generator import GeneratorNetwork
from training.run import sealed
from training.run.device import Precision
from training.run.outline import MISMATCH_ERRORS, check_shapes, exception_message
from training.schedules import STRICT

FORMAT = 2

Steps = Annotated[int, Field(ge=0, lt=2**63)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Header:
    """The metadata of a checkpoint."""

    preset: Preset
    steps: tuple[Steps, ...] = Field(min_length=1)  # completed in each stage, up to the checkpoint's stage
    seconds: Annotated[float, Field(ge=0)]  # of training so far
    data_sha256: str  # of the training image file
    device: str  # type of the training device
    precision: Precision
    threads: Annotated[int, Field(ge=1, le=1_024)]
    format: int = FORMAT
    torch: str = str(torch.__version__)

    def __post_init__(self) -> None:
        """Raises CheckpointError if there are more stages than in the preset."""
        if len(self.steps) > len(self.preset.stages):
            raise CheckpointError(f"expected at most {len(self.preset.stages)} stages, got {len(self.steps)}")

    @property
    def stage(self) -> int:
        """The index of the checkpoint's stage in the preset."""
        return len(self.steps) - 1

    @property
    def step(self) -> int:
        """The number of steps completed in this stage."""
        return self.steps[-1]


_HEADERS: TypeAdapter[Header] = TypeAdapter(Header)


class Checkpoint:
    """A checkpoint in memory. Tensor names start with the name of their part: `generator.layers.0.weight`."""

    def __init__(self, header: Header, tensors: Mapping[str, Tensor]) -> None:
        self.header, self.tensors = header, tensors

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one part, without its prefix."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    @property
    def is_resumable(self) -> bool:
        """Whether it holds the state of a stage, not only a generator."""
        return "random.cpu" in self.tensors


@contextmanager
def wrap_load_errors(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn the errors of loading a checkpoint that does not fit its preset into CheckpointError."""
    try:
        yield
    except MISMATCH_ERRORS as error:
        name = checkpoint.header.preset.name
        raise CheckpointError(f"the checkpoint does not fit preset {name}: {exception_message(error)}") from None


def stored(value: Tensor) -> Tensor:
    """Convert a tensor to its dtype in generator files: float16, except for vectors, e.g. those of batch norm."""
    return value.half() if value.is_floating_point() and value.ndim > 1 else value


def generator_checkpoint(generator: GeneratorNetwork, header: Header, encoder: nn.Module | None = None) -> Checkpoint:
    """A checkpoint that holds the generator, and its encoder if it has one, for export."""
    networks: dict[str, nn.Module] = {"generator": generator} | ({"encoder": encoder} if encoder else {})
    tensors = {
        f"{name}.{key}": stored(value.detach()).cpu().contiguous()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    return Checkpoint(header, tensors)


def generator_of(checkpoint: Checkpoint) -> GeneratorNetwork:
    """Build the generator of a generator file, in evaluation mode, on the CPU.

    Raises CheckpointError for a training checkpoint, whose weights are not those to export, and for weights that do not
    fit the preset.
    """
    if checkpoint.is_resumable:
        raise CheckpointError("expected a generator file, as in RUN/generators, got a training checkpoint")
    preset = checkpoint.header.preset
    check_shapes(preset, checkpoint.header.stage, checkpoint.part)
    generator = build_generator(preset.network_of(checkpoint.header.stage), preset.latent_dim)
    _load(generator, checkpoint, "generator")
    return generator.eval()


def encoder_of(checkpoint: Checkpoint) -> nn.Module | None:
    """Build the encoder of a generator file, in evaluation mode, on the CPU; None if it has none.

    Raises CheckpointError for weights that do not fit the preset.
    """
    header = checkpoint.header
    stage = header.preset.stages[header.stage]
    if not isinstance(stage, Encoder):
        return None
    encoder = build_encoder(stage.network, header.preset.latent_dim)
    _load(encoder, checkpoint, "encoder")
    return encoder.eval()


def _load(network: nn.Module, checkpoint: Checkpoint, part: str) -> None:
    weights = checkpoint.part(part)
    with wrap_load_errors(checkpoint):
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
        )


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically. Creates its folder if necessary."""
    sealed.write(path, checkpoint.tensors, _HEADERS.dump_json(checkpoint.header).decode())


def read(path: Path) -> Checkpoint:
    """Read and verify a checkpoint, on the CPU, without building its networks.

    Raises CheckpointError for a file that is missing, truncated, modified or not a checkpoint of this version.
    """
    try:
        tensors, text = sealed.read(path)
        if json.loads(text)["format"] != FORMAT:
            raise ValueError(f"format is not {FORMAT}")
        checkpoint = Checkpoint(_HEADERS.validate_json(text), tensors)
        check_shapes(checkpoint.header.preset, checkpoint.header.stage, checkpoint.part)
        return checkpoint
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (sealed.SealError, CheckpointError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (PresetError, ValidationError) as error:
        reason = validation_message(error)
    except (RecursionError, *MISMATCH_ERRORS) as error:
        reason = exception_message(error)
    raise CheckpointError(f"{path}: not a checkpoint of this version of mnistgen ({reason})")


def check_preset(checkpoint: Checkpoint, preset: Preset) -> None:
    """Raises CheckpointError if the checkpoint was trained with another preset.

    Only the epochs of the adversarial stage may differ, as long as the checkpoint is in that stage.
    """
    recorded, first = checkpoint.header.preset, preset.stages[0]
    if checkpoint.header.stage == 0 and isinstance(first, Adversarial):
        recorded = change(recorded, epochs=first.epochs)
    expected, found = (dict(_leaves(to_json(each))) for each in (preset, recorded))
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise CheckpointError(
                f"the checkpoint was trained with {name} {shown(found.get(name))}, but the preset has "
                f"{shown(expected.get(name))}"
            )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The scalars in nested JSON types with their paths, e.g. `stages.0.epochs`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not items:
        yield name, value
    for key, item in items:
        yield from _leaves(item, f"{name}.{key}".removeprefix("."))


def check_data(checkpoint: Checkpoint, sha256: str) -> None:
    """Raises CheckpointError if the checkpoint was trained on other images than those with this SHA-256."""
    if checkpoint.header.data_sha256 != sha256:
        raise CheckpointError(f"the checkpoint was trained on images with SHA-256 {checkpoint.header.data_sha256}")


def compute_of(header: Header, device: torch.device) -> dict[str, Any]:
    """Arguments of `device.choose` for bitwise reproducible resuming; empty if the device type changed."""
    return {"precision": header.precision, "threads": header.threads} if header.device == device.type else {}
