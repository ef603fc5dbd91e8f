"""Presets: the configuration of a model and its training, as data that converts to and from JSON.

A preset is a network and a list of stages, each with its own hyperparameters. `training.stages` runs them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mnistgen._errors import plain, shown
from training.errors import PresetError
from training.schedules import STRICT, Schedule

Count = Annotated[int, Field(ge=1, lt=2**31)]
ClassBatch = Annotated[Count, Field(multiple_of=10)]  # split evenly among the ten classes
Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class Network:
    """An architecture and its options."""

    architecture: str  # a key of GENERATORS, DISCRIMINATORS or ENCODERS
    options: dict[str, Any]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EMA:
    """An exponential moving average of the generator's weights."""

    half_life: Annotated[float, Field(gt=0)]  # training images after which past weights count half
    ramp: Weight = 0.05  # the half-life is at most this fraction of the images seen so far


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Penalties:
    """Penalties that are added to the discriminator's loss."""

    kinds: tuple[str, ...]  # keys of PENALTIES
    weight: Schedule
    every: Count = 1  # steps between penalties; multiplies the weight, to compensate (lazy regularisation)
    mixed_precision: bool = False  # use the precision of the rest of the step, not float32; halves the time on CPUs


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adversarial:
    """Train a generator against a discriminator. Returns the generator with the best held-out ratio."""

    keeps: ClassVar[str] = "best"
    kind: Literal["adversarial"] = "adversarial"
    network: Network | None = None  # the teacher, if distillation follows; None: the preset's network
    discriminator: Network
    loss: str  # a key of LOSSES
    epochs: Count
    batch_size: Count = 128
    learning_rate: Schedule = 2e-4  # of Adam, for both networks
    betas: tuple[float, Schedule] = (0.5, 0.999)
    penalties: Penalties | None = None
    ema: EMA | None = None  # if set, the EMA copy of the generator is evaluated and returned
    batch_norm_samples: Annotated[int, Field(ge=0, le=10**6)] = 0  # latents to re-estimate statistics; 0: keep them
    patience: Annotated[int, Field(ge=0)] = 0  # stop after this many evaluations without improvement; 0: never
    log_every: Count = 100  # steps
    evaluate_every: Count = 1  # epochs
    sample_every: Count = 1  # in units of sample_unit
    sample_unit: Literal["step", "epoch"] = "epoch"
    checkpoint_every: Count = 1_000  # steps


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Distillation:
    """Train the preset's network to reproduce the output of the previous stage's generator, its teacher."""

    keeps: ClassVar[str] = "last"
    kind: Literal["distillation"] = "distillation"
    bank: ClassBatch  # teacher images, generated once
    steps: Count
    batch_size: ClassBatch = 500
    learning_rate: Schedule  # of Adam
    betas: tuple[float, float] = (0.9, 0.99)
    log_every: Count = 250  # steps
    evaluate_every: Count = 2_500  # steps; also for samples and checkpoints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MomentMatching:
    """Fine-tune by matching the feature moments of generated and real digits, without a discriminator."""

    keeps: ClassVar[str] = "last"
    kind: Literal["moment-matching"] = "moment-matching"
    steps: Count
    batch_size: ClassBatch = 250
    learning_rate: Schedule  # of Adam
    betas: tuple[float, float] = (0.0, 0.99)
    memory: Count = 20_000  # generated digits that the running moments average over
    networks: Count = 4  # feature networks per batch, drawn at random from the pool
    pixel_error: Schedule = 0.0  # weight of the squared error to the images of the run's first generator
    feature_error: Schedule = 0.0  # weight of the same error in feature space
    within_class: Weight = 3.0  # weight of the per-class moments, relative to those over all digits
    ema: EMA  # the EMA copy of the generator is evaluated and returned
    epochs: Count  # of training for each feature network
    log_every: Count = 250  # steps
    evaluate_every: Count = 250  # steps; also for samples and checkpoints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Encoder:
    """Train an encoder, from images to the latents and labels of the previous stage's generator, which is kept."""

    keeps: ClassVar[str] = "last"
    kind: Literal["encoder"] = "encoder"
    network: Network
    steps: Count
    batch_size: Count = 128  # real digits, and as many generated ones
    learning_rate: Schedule  # of Adam
    betas: tuple[float, float] = (0.9, 0.99)
    augmentation: Weight = 0.0  # strength, for half of the real digits; see `training.augmentation.warp`
    latent_error: Weight  # weight of the squared error to the latents of generated digits, relative to that in pixels
    prior: Weight  # weight of the mean square of real digits' latents
    label_error: Weight  # weight of the cross-entropy
    log_every: Count = 250  # steps
    evaluate_every: Count = 2_000  # steps; also for samples and checkpoints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Quantization:
    """Export with 8-bit weights, activations and pixels. Requires a sigmoid after the last linear layer."""

    calibration: Annotated[int, Field(ge=1, le=10**6)] = 4_000  # generated digits that determine the ranges


# An alias: pydantic names the members in errors.
Stage: TypeAlias = Adversarial | Distillation | MomentMatching | Encoder

# The kinds of stage that each kind may follow; None: it may be the first.
PREDECESSORS: Mapping[str, tuple[str | None, ...]] = {
    "adversarial": (None,),
    "distillation": ("adversarial",),
    "moment-matching": ("adversarial", "distillation"),
    "encoder": ("adversarial", "distillation", "moment-matching"),
}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Preset:
    """A model: its generator network and the stages that train it."""

    name: str
    summary: str  # one line, for cards and listings
    network: Network  # of the exported generator
    latent_dim: Count = 100
    stages: tuple[Annotated[Stage, Field(discriminator="kind")], ...]
    quantization: Quantization | None = None  # of the export
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    def __post_init__(self) -> None:
        """Raises PresetError for an invalid order of stages."""
        if not self.stages:
            raise PresetError("stages: expected at least one, got none")
        kinds: list[str | None] = [None, *(stage.kind for stage in self.stages)]
        for before, kind in pairwise(kinds):
            allowed = PREDECESSORS[str(kind)]
            if before not in allowed:
                expected = " or ".join(name or "nothing" for name in allowed)
                raise PresetError(f"stages: expected {kind} after {expected}, got it after {before or 'nothing'}")
        for stage, following in zip(self.stages, [*kinds[2:], None], strict=True):
            if isinstance(stage, Adversarial) and (stage.network is not None) != (following == "distillation"):
                raise PresetError("stages: expected adversarial with its own network exactly if distillation follows")

    def network_of(self, index: int) -> Network:
        """The network that a stage trains: the preset's or a teacher's."""
        stage = self.stages[index]
        return self.network if not isinstance(stage, Adversarial) or stage.network is None else stage.network


_ADAPTER: TypeAdapter[Preset] = TypeAdapter(Preset)


def to_json(preset: Preset) -> dict[str, Any]:
    """The preset as JSON types, as stored in run directories, checkpoints and cards."""
    content: dict[str, Any] = _ADAPTER.dump_python(preset, mode="json")
    return content


def from_json(content: object) -> Preset:
    """The inverse of `to_json`. Raises PresetError if the content is not a valid preset."""
    try:
        return _ADAPTER.validate_json(json.dumps(content))
    except (ValidationError, RecursionError) as error:
        raise PresetError(validation_message(error)) from None


def change(preset: Preset, *, epochs: int | None = None, seed: int | None = None) -> Preset:
    """Copy the preset with another number of adversarial epochs or seed. Raises PresetError for invalid values."""
    try:
        stages = tuple(
            replace(stage, epochs=epochs) if epochs is not None and isinstance(stage, Adversarial) else stage
            for stage in preset.stages
        )
        return replace(preset, stages=stages, seed=preset.seed if seed is None else seed)
    except ValidationError as error:
        raise PresetError(validation_message(error)) from None


def validation_message(error: Exception) -> str:
    """The first validation error in one line: `stages.0.epochs: input should be ..., got 0`."""
    if not isinstance(error, ValidationError):
        return plain(str(error))
    first, *_ = error.errors(include_url=False, include_context=False)
    where, message = ".".join(map(str, first["loc"])) or "preset", first["msg"]
    return plain(f"{where}: {message[:1].lower()}{message[1:]}, got {shown(first['input'])}")
