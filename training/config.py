"""Preset: everything that settles how one system is trained, as data; to JSON and back."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mnistgen.errors import plain, shown
from training.errors import PresetError
from training.schedules import Schedule
from training.schedules import check as check_schedule


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """An exponential moving average of the generator's weights."""

    half_life: float  # real images after which a weight counts half
    ramp: float = 0.05  # the half-life is at most this share of the images seen so far


@dataclass(frozen=True, kw_only=True)
class Penalties:
    """What the discriminator pays beside its loss."""

    kinds: tuple[str, ...]  # rows of PENALTIES
    weight: Schedule
    every: int = 1  # steps; the weight is multiplied by it, so that it weighs as much as at every step
    mixed: bool = False  # in the precision of the rest of the step rather than in float32: in half the time on CPUs


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """In place of adversarial training, the teacher is imitated: `training.stages.distillation`."""

    steps: int
    batch_size: int = 250  # latents, every class alike; a multiple of 10
    learning_rate: Schedule = 2e-3  # Adam's
    betas: tuple[float, float] = (0.9, 0.99)
    score_every: int = 2_500  # steps


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """Export with 8-bit weights, activations and pixels, for generators whose last product goes through a sigmoid."""

    calibration: int = 4_000  # generated digits that settle the ranges of activations


@dataclass(frozen=True, kw_only=True)
class Refinement:
    """Afterwards, the moments of features are matched, without a discriminator: `training.stages.moment_matching`."""

    steps: int
    batch_size: int = 250  # generated digits, every class alike; a multiple of 10
    learning_rate: Schedule = 3e-5  # Adam's
    betas: tuple[float, float] = (0.0, 0.99)
    memory: int = 40_000  # generated digits that the running moments reach back to
    within: float = 3.0  # weight of the moments within classes beside those over all digits
    half_life: float = 40_000  # generated digits; of the average of the generator's weights, given away in its place
    feature_error: Schedule = 0.0  # weight of the mean squared error to the teacher's features, after distillation
    pixel_error: Schedule = 0.0  # the same of its pixels, 0 to 1
    networks: str = "three"  # whose features are compared, a row of PANELS
    epochs: int = 5  # that they learn for
    score_every: int = 250  # steps


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One system: its networks, and the stages that train them: epochs or distillation, then refinement."""

    name: str
    summary: str  # one line for cards and listings
    architecture: str  # a row of ARCHITECTURES
    generator: Mapping[str, Any]  # the network's own options
    discriminator: Mapping[str, Any] = field(default_factory=dict)  # the same; like a loss, where there are epochs
    loss: str = ""  # a row of LOSSES
    latent_dim: int = 100
    epochs: int = 0  # of adversarial training
    batch_size: int = 128
    learning_rate: Schedule = 2e-4  # Adam's, for both networks
    betas: tuple[float, Schedule] = (0.5, 0.999)
    penalties: Penalties | None = None
    average: Averaging | None = None  # of the generator, given away in its place
    batch_norm_samples: int = 0  # latents on which the generator's batch norm is measured anew; 0: running statistics
    teacher: tuple[str, ...] | None = None  # presets whose generators are imitated, several as a mixture
    distillation: Distillation | None = None  # of the teacher, in place of epochs
    refinement: Refinement | None = None  # after epochs or distillation
    quantization: Quantization | None = None  # of the export
    score_every: int = 1  # epochs, between looks at the held-out digits; the best generator seen is given away
    patience: int = 0  # looks without a better one after which training stops early; 0: never
    seed: int = 1  # of the bundled model
    log_every: int = 100  # steps
    sample_every: int = 1  # sample_unit
    sample_unit: Literal["step", "epoch"] = "epoch"
    checkpoint_every: int = 1000  # steps

    def __post_init__(self) -> None:
        """Raises PresetError for values of other types, batches that classes cannot share, and stages at odds."""
        _check_fields(self)
        check_schedule("learning_rate", self.learning_rate)
        check_schedule("betas", self.betas[1])
        if self.penalties:
            check_schedule("penalties", self.penalties.weight)
        for name in ("distillation", "refinement"):
            if stage := getattr(self, name):
                check_schedule(name, stage.learning_rate)
                if stage.batch_size % 10:
                    raise PresetError(f"{name}: expected a batch_size that 10 divides, got {stage.batch_size}")
        if self.refinement:
            check_schedule("refinement", self.refinement.feature_error)
            check_schedule("refinement", self.refinement.pixel_error)
        if bool(self.distillation) != bool(self.teacher):
            raise PresetError(f"teacher: expected one for distillation, and none without, got {self.teacher}")
        if self.distillation and self.epochs:
            raise PresetError(
                f"epochs: {self.name} is distilled, in steps and without epochs, got {self.epochs}; leave them away"
            )


def change(preset: Preset, **changes: int | None) -> Preset:
    """The preset with the changes that are not None. Raises PresetError for epochs below 1 and other wrong values."""
    wanted: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    changed = replace(preset, **wanted)
    if changed.epochs < 1 and not changed.distillation:
        raise PresetError(f"epochs: expected 1 or more, got {changed.epochs}")
    return changed


def to_json(preset: Preset) -> dict[str, Any]:
    """The preset as JSON types: what run directories, checkpoints and cards hold."""
    content: dict[str, Any] = _plain(asdict(preset))
    return content


def from_json(content: Mapping[str, Any]) -> Preset:
    """The preset that `to_json` described. Raises PresetError where the content is not that of a preset."""
    try:
        values = {key: _frozen(value) for key, value in content.items()}
        values |= {name: kind(**values[name]) for name, kind in _PARTS.items() if values.get(name) is not None}
        return Preset(**values)
    except (AttributeError, RecursionError, TypeError) as error:
        raise PresetError(f"expected the fields of a preset: {plain(str(error))}") from None


# Fields of a preset that hold more fields.
_PARTS: dict[str, type] = {
    "penalties": Penalties,
    "distillation": Distillation,
    "average": Averaging,
    "refinement": Refinement,
    "quantization": Quantization,
}

# What whole numbers may be, where 0 would be divided by and where a large one would take hours.
_INTERVALS = ("every", "score_every", "log_every", "sample_every", "checkpoint_every")
_RANGES = dict.fromkeys(("batch_size", "latent_dim", "steps", "memory", *_INTERVALS), (1, 2**63 - 1))
_RANGES |= dict.fromkeys(("batch_norm_samples", "calibration"), (0, 1_000_000))


def _check_fields(part: Any, prefix: str = "") -> None:
    """Raises PresetError where a value is not what its field's annotation says, or out of range."""
    for item in fields(part):
        name, value = f"{prefix}{item.name}", getattr(part, item.name)
        if not _is_a(value, item.type):
            raise PresetError(f"{name}: expected {getattr(item.type, '__name__', item.type)}, got {shown(value)}")
        low, high = _RANGES.get(item.name, (0, 2**63 - 1))
        if item.type is int and not low <= value <= high:
            raise PresetError(f"{name}: expected {low} to {high}, got {shown(value)}")
        if is_dataclass(value):
            _check_fields(value, f"{name}.")


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a value is what an annotation says; numbers are finite, and whole ones count as float too."""
    origin, kinds = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_is_a(value, part) for part in kinds)
    if origin is Literal:
        return value in kinds
    if origin is tuple and isinstance(value, tuple):
        kinds = kinds[:1] * len(value) if kinds[-1] is ... else kinds
        return len(kinds) == len(value) and all(map(_is_a, value, kinds))
    if kind is float:
        return type(value) in (int, float) and -math.inf < value < math.inf
    return type(value) is int if kind is int else isinstance(value, origin or kind)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
