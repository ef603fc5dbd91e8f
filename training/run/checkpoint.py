"""Checkpoints: sealed files with a JSON header.

One file holds everything that a run needs to go on to the same bits: both networks, both optimisers, the random
states, and in its header the preset and the step, from which the position in the epoch follows. The slim weights in
`training/weights` have the same form with the generator alone.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor
from torch.optim import Adam

from mnistgen.errors import plain, shown
from training.config import Preset, from_json, to_json
from training.data import Digits
from training.errors import CheckpointError, PresetError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.players import Players
from training.run import sealed
from training.run.device import Compute, Precision
from training.run.outline import MISFITS, check_shapes, explained
from training.stages.ema import measure_batch_norm

FORMAT = 1
MOST_THREADS = 1_024
WEIGHTS = Path(__file__).parents[1] / "weights"  # NAME.safetensors: the source of the bundled models


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a checkpoint says of itself."""

    preset: Preset
    step: int  # training steps done
    data_sha256: str  # of the file of training images
    device: str  # the kind of device it was trained on
    precision: Precision
    threads: int

    @classmethod
    def of(cls, preset: Preset, step: int, digits: Digits, compute: Compute) -> "Header":
        """The header of a run's checkpoint after this step."""
        return cls(
            preset=preset,
            step=step,
            data_sha256=digits.sha256,
            device=compute.device.type,
            precision=compute.precision,
            threads=compute.threads,
        )

    def to_json(self) -> str:
        """The header as text, with the format's number and PyTorch's version."""
        fields = vars(self) | {"preset": to_json(self.preset), "format": FORMAT, "torch": str(torch.__version__)}
        return json.dumps(fields, sort_keys=True)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory; tensor names begin with the part that they belong to: `generator.layers.0.weight`."""

    header: Header
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one part, without its prefix."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}


def capture(players: Players, header: Header) -> Checkpoint:
    """The whole state of a run."""
    tensors = random_state(header.device)
    for name, network in players.networks.items():
        tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    for name, optimizer in players.optimizers.items():
        tensors |= optimizer_tensors(f"{name}_optimizer", optimizer)
    return Checkpoint(header, {name: value.cpu().contiguous() for name, value in tensors.items()})


def restore(checkpoint: Checkpoint, players: Players) -> None:
    """Put the whole state back, torch's random state too. Raises CheckpointError where something does not fit."""
    with fitting(checkpoint):
        for name, network in players.networks.items():
            network.load_state_dict(checkpoint.part(name))
        for name, optimizer in players.optimizers.items():
            restore_optimizer(optimizer, checkpoint.part(f"{name}_optimizer"))
        restore_random_state(checkpoint)


@contextmanager
def fitting(checkpoint: Checkpoint) -> Iterator[None]:
    """Raises CheckpointError where what is put back within does not fit."""
    try:
        yield
    except MISFITS as error:
        name = checkpoint.header.preset.name
        raise CheckpointError(f"the checkpoint does not fit preset {plain(name)}: {explained(error)}") from None


def random_state(device: str) -> dict[str, Tensor]:
    """Torch's global random state, of the CPU and of the kind of device."""
    state = {"random.cpu": torch.get_rng_state()}
    return state | ({"random.cuda": torch.cuda.get_rng_state()} if device == "cuda" else {})


def restore_random_state(checkpoint: Checkpoint) -> None:
    """Put it back, as far as the device is there."""
    torch.set_rng_state(checkpoint.tensors["random.cpu"])
    if "random.cuda" in checkpoint.tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(checkpoint.tensors["random.cuda"])


def optimizer_tensors(prefix: str, optimizer: Adam) -> dict[str, Tensor]:
    """Steps and moments of every parameter: `PREFIX.3.exp_avg`."""
    states = optimizer.state_dict()["state"].items()
    return {f"{prefix}.{index}.{key}": value for index, state in states for key, value in state.items()}


def restore_optimizer(optimizer: Adam, tensors: Mapping[str, Tensor]) -> None:
    """Put them back, without the prefix. An optimiser that has not stepped yet has none."""
    if not tensors:
        return
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        for moment in ("exp_avg", "exp_avg_sq"):
            if (shape := tensors[f"{index}.{moment}"].shape) != parameter.shape:  # which would be broadcast
                raise ValueError(f"{index}.{moment}: expected {tuple(parameter.shape)}, got {tuple(shape)}")
        # The fused step walks parameter and moments in memory order, so the moments take the parameter's strides.
        optimizer.state[parameter] = {
            "step": tensors[f"{index}.step"].to(parameter.device),
            "exp_avg": torch.empty_like(parameter.detach()).copy_(tensors[f"{index}.exp_avg"]),
            "exp_avg_sq": torch.empty_like(parameter.detach()).copy_(tensors[f"{index}.exp_avg_sq"]),
        }


def capture_generator(generator: GeneratorNetwork, header: Header) -> Checkpoint:
    """The generator as it is given away, alone: what is exported."""
    tensors = {f"generator.{key}": value.cpu().contiguous() for key, value in generator.state_dict().items()}
    return Checkpoint(header, tensors)


def generator_of(checkpoint: Checkpoint) -> GeneratorNetwork:
    """The generator that a checkpoint of a run gives away, or that slim weights hold; in evaluation mode, on the CPU.

    Raises CheckpointError where the weights do not fit the preset.
    """
    preset = checkpoint.header.preset
    check_shapes(preset, checkpoint.part)
    generator = build_generator(preset.architecture, preset.latent_dim, preset.generator)
    weights = checkpoint.part("average") or checkpoint.part("generator")
    with fitting(checkpoint):
        generator.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
        )
    generator.eval()
    if checkpoint.part("discriminator"):  # of a run, not slim weights, whose batch norm was measured already
        measure_batch_norm(generator, preset)
    return generator


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole, making its folder where needed."""
    sealed.write(path, checkpoint.tensors, checkpoint.header.to_json())


def read(path: Path) -> Checkpoint:
    """Read a checkpoint or slim weights, on the CPU.

    Raises CheckpointError for a file that is missing, cut off, changed, or not one of ours.
    """
    try:
        tensors, text = sealed.read(path)
        checkpoint = Checkpoint(_parse(text), tensors)
        check_shapes(checkpoint.header.preset, checkpoint.part)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (sealed.SealError, CheckpointError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    except PresetError as error:
        raise CheckpointError(f"{path}: not a checkpoint of this version of mnistgen ({error})") from None
    except MISFITS as error:
        raise CheckpointError(f"{path}: not a checkpoint of this version of mnistgen ({explained(error)})") from None
    return checkpoint


def check_preset(checkpoint: Checkpoint, preset: Preset) -> None:
    """Refuse to go on with another preset; only the number of epochs may differ. Raises CheckpointError."""
    ours, theirs = to_json(preset), to_json(checkpoint.header.preset)
    for field in ours.keys() - {"epochs"}:
        if ours[field] != theirs[field]:
            raise CheckpointError(
                f"the checkpoint was trained with {field} {theirs[field]!r}, the preset says {ours[field]!r}"
            )


def check_data(checkpoint: Checkpoint, sha256: str) -> None:
    """Refuse to go on with other digits. Raises CheckpointError."""
    if checkpoint.header.data_sha256 != sha256:
        raise CheckpointError(f"the checkpoint was trained on images with SHA-256 {checkpoint.header.data_sha256}")


def check_epochs(checkpoint: Checkpoint, preset: Preset, digits: int) -> None:
    """Refuse to end before the checkpoint. Raises CheckpointError."""
    done = checkpoint.header.step / max(1, digits // preset.batch_size)
    if done > preset.epochs:
        raise CheckpointError(f"epochs: expected at least the {done:g} that are done, got {preset.epochs}")


def compute_of(header: Header, device: torch.device) -> dict[str, Any]:
    """What `compute.choose` must keep for the same bits; nothing where the kind of device changed."""
    return {"precision": header.precision, "threads": header.threads} if header.device == device.type else {}


# What a header's other fields are.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "step": lambda value: type(value) is int and 0 <= value < 2**63,
    "data_sha256": lambda value: isinstance(value, str),
    "device": lambda value: isinstance(value, str),
    "precision": lambda value: value in get_args(Precision),
    "threads": lambda value: type(value) is int and 0 < value <= MOST_THREADS,
}


def _parse(text: str) -> Header:
    fields = json.loads(text)
    if fields.pop("format") != FORMAT:
        raise ValueError(f"format is not {FORMAT}")
    fields.pop("torch")
    for name, is_right in _FIELDS.items():
        if not is_right(fields[name]):
            raise ValueError(f"{name} is {shown(fields[name])}")
    return Header(**fields | {"preset": from_json(fields["preset"])})
