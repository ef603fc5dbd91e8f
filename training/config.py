"""Preset: everything that determines how one model is trained, as data; to JSON and back.

A preset is a network and the stages that train it, each with its own hyperparameters. `training.stages` runs them.
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
ClassBatch = Annotated[Count, Field(multiple_of=10)]  # the same number of each class
Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class Network:
    """A network: an architecture and its own options."""

    architecture: str  # a row of GENERATORS or DISCRIMINATORS
    options: dict[str, Any]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EMA:
    """An exponential moving average of the generator's weights."""

    half_life: Annotated[float, Field(gt=0)]  # images after which a weight counts half
    ramp: Weight = 0.05  # the half-life is at most this share of the images seen so far


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Penalties:
    """What is added to the discriminator's loss."""

    kinds: tuple[str, ...]  # rows of PENALTIES
    weight: Schedule
    every: Count = 1  # steps; the weight is multiplied by it, so that it weighs as much as at every step
    mixed_precision: bool = False  # as the rest of the step, rather than float32: in half the time on CPUs


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Adversarial:
    """A generator against a discriminator; the best one, by the held-out digits, is handed on."""

    keeps: ClassVar[str] = "best"
    kind: Literal["adversarial"] = "adversarial"
    network: Network | None = None  # of a teacher for the distillation that follows; None: the preset's own
    discriminator: Network
    loss: str  # a row of LOSSES
    epochs: Count
    batch_size: Count = 128
    learning_rate: Schedule = 2e-4  # Adam's, of both networks
    betas: tuple[float, Schedule] = (0.5, 0.999)
    penalties: Penalties | None = None
    ema: EMA | None = None  # of the generator, which is then evaluated and handed on in its place
    batch_norm_samples: Annotated[int, Field(ge=0, le=10**6)] = 0  # latents for statistics; 0: the running ones
    patience: Annotated[int, Field(ge=0)] = 0  # evaluations without a better one before it stops early; 0: never
    log_every: Count = 100  # steps
    evaluate_every: Count = 1  # epochs
    sample_every: Count = 1  # sample_unit
    sample_unit: Literal["step", "epoch"] = "epoch"
    checkpoint_every: Count = 1_000  # steps


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Distillation:
    """The preset's network learns to draw what the generator of the stage before, its teacher, draws."""

    keeps: ClassVar[str] = "last"
    kind: Literal["distillation"] = "distillation"
    bank: ClassBatch  # digits of the teacher, drawn once
    steps: Count
    batch_size: ClassBatch = 500
    learning_rate: Schedule  # Adam's
    betas: tuple[float, float] = (0.9, 0.99)
    log_every: Count = 250  # steps
    evaluate_every: Count = 2_500  # steps; samples and a checkpoint too


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MomentMatching:
    """Feature moments of the generator's digits are matched to those of real ones, without a discriminator."""

    keeps: ClassVar[str] = "last"
    kind: Literal["moment-matching"] = "moment-matching"
    steps: Count
    batch_size: ClassBatch = 250
    learning_rate: Schedule  # Adam's
    betas: tuple[float, float] = (0.0, 0.99)
    memory: Count = 20_000  # generated digits that the running moments of a network reach back to
    networks: Count = 4  # of the pool, drawn anew for each batch
    pixel_error: Schedule = 0.0  # weight of the squared error to the digits of the run's first generator
    feature_error: Schedule = 0.0  # and of that to their features
    within_class: Weight = 3.0  # weight of the moments within classes beside those over all digits
    ema: EMA  # of the generator, which is evaluated and handed on in its place
    epochs: Count  # that each feature network learns for
    log_every: Count = 250  # steps
    evaluate_every: Count = 250  # steps; samples and a checkpoint too


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Quantization:
    """Export with 8-bit weights, activations and pixels, for generators whose last product goes through a sigmoid."""

    calibration: Annotated[int, Field(ge=1, le=10**6)] = 4_000  # generated digits that the ranges come from


Stage: TypeAlias = Adversarial | Distillation | MomentMatching  # pydantic names its members in errors

# What each kind of stage may come after; None: nothing.
COMES_AFTER: Mapping[str, tuple[str | None, ...]] = {
    "adversarial": (None,),
    "distillation": ("adversarial",),
    "moment-matching": ("adversarial", "distillation"),
}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Preset:
    """One model: its network, and the stages that train it."""

    name: str
    summary: str  # one line for cards and listings
    network: Network  # the generator that is exported
    latent_dim: Count = 100
    stages: tuple[Annotated[Stage, Field(discriminator="kind")], ...]
    quantization: Quantization | None = None  # of the export
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    def __post_init__(self) -> None:
        """Raises PresetError for stages in an order that makes no sense."""
        if not self.stages:
            raise PresetError("stages: expected at least one, got none")
        kinds: list[str | None] = [None, *(stage.kind for stage in self.stages)]
        for before, kind in pairwise(kinds):
            allowed = COMES_AFTER[str(kind)]
            if before not in allowed:
                expected = " or ".join(name or "nothing" for name in allowed)
                raise PresetError(f"stages: expected {kind} after {expected}, got it after {before or 'nothing'}")
        for stage, following in zip(self.stages, [*kinds[2:], None], strict=True):
            if isinstance(stage, Adversarial) and (stage.network is not None) != (following == "distillation"):
                raise PresetError("stages: expected adversarial with a network of its own just before distillation")

    def network_of(self, index: int) -> Network:
        """The network that a stage trains: the preset's, or that of a teacher."""
        stage = self.stages[index]
        return self.network if not isinstance(stage, Adversarial) or stage.network is None else stage.network


_ADAPTER: TypeAdapter[Preset] = TypeAdapter(Preset)


def to_json(preset: Preset) -> dict[str, Any]:
    """The preset as JSON types: what run directories, checkpoints and cards hold."""
    content: dict[str, Any] = _ADAPTER.dump_python(preset, mode="json")
    return content


def from_json(content: object) -> Preset:
    """The preset that `to_json` described. Raises PresetError where the content is not that of a preset."""
    try:
        return _ADAPTER.validate_json(json.dumps(content))
    except (ValidationError, RecursionError) as error:
        raise PresetError(explained(error)) from None


def change(preset: Preset, *, epochs: int | None = None, seed: int | None = None) -> Preset:
    """The preset with the epochs of its adversarial stage, or the seed, replaced. Raises PresetError for wrong ones."""
    try:
        stages = tuple(
            replace(stage, epochs=epochs) if epochs is not None and isinstance(stage, Adversarial) else stage
            for stage in preset.stages
        )
        return replace(preset, stages=stages, seed=preset.seed if seed is None else seed)
    except ValidationError as error:
        raise PresetError(explained(error)) from None


def explained(error: Exception) -> str:
    """The first thing that is wrong, in one line: `stages.0.epochs: input should be ..., got 0`."""
    if not isinstance(error, ValidationError):
        return plain(str(error))
    first, *_ = error.errors(include_url=False, include_context=False)
    where, message = ".".join(map(str, first["loc"])) or "preset", first["msg"]
    return plain(f"{where}: {message[:1].lower()}{message[1:]}, got {shown(first['input'])}")
