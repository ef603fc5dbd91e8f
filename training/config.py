"""Preset: the configuration of a model and of the loops that train it, as data that converts to and from JSON."""

import math
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mnistgen._errors import shown
from training.errors import PresetError

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)  # for all classes that presets consist of
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]


# --- schedules: hyperparameters that may change over a loop -----------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Linear:
    """Linear interpolation from start to end."""

    start: float
    end: float
    kind: Literal["linear"] = "linear"

    def at(self, progress: float) -> float:
        """The value at a progress from 0 to 1."""
        return self.start * (1 - progress) + self.end * progress


@dataclass(frozen=True, config=STRICT)
class Cosine:
    """Linear warm-up from 0 to start over the fraction `warm_up` of the loop, then cosine annealing to end.

    Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017 (arXiv:1608.03983),
    equation 5, without restarts.
    """

    start: float
    end: float
    warm_up: Fraction = 0.0
    kind: Literal["cosine"] = "cosine"

    def at(self, progress: float) -> float:
        """The value at a progress from 0 to 1."""
        if progress < self.warm_up:
            return self.start * (progress / self.warm_up)
        angle = math.pi * ((progress - self.warm_up) / (1 - self.warm_up))  # parentheses make it end at exactly pi
        return Linear(self.start, self.end).at((1 - math.cos(angle)) / 2)


@dataclass(frozen=True, config=STRICT)
class Exponential:
    """Exponential interpolation from start to end; as a product of powers, exact at both ends."""

    start: Positive
    end: Positive
    kind: Literal["exponential"] = "exponential"

    def at(self, progress: float) -> float:
        """The value at a progress from 0 to 1."""
        return float(self.start ** (1 - progress) * self.end**progress)


Schedule = (
    Annotated[float, Field(allow_inf_nan=False)] | Annotated[Linear | Cosine | Exponential, Field(discriminator="kind")]
)


def value_at(schedule: Schedule, progress: float) -> float:
    """The value of a schedule at a progress from 0, the start of the loop, to 1, its end."""
    return float(schedule) if isinstance(schedule, int | float) else schedule.at(progress)


# --- presets ----------------------------------------------------------------------------------------------------------


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
    """Train a generator against a discriminator, and keep the one with the best held-out ratio."""

    network: Network | None = None  # of a teacher, if distillation follows; None: the preset's network
    discriminator: Network
    loss: str  # a key of LOSSES
    epochs: Count
    batch_size: Count = 128
    learning_rate: Schedule = 2e-4  # of Adam, for both networks
    betas: tuple[float, Schedule] = (0.5, 0.999)
    penalties: Penalties | None = None
    ema: EMA | None = None  # if set, the EMA copy of the generator is evaluated and returned
    batch_norm_samples: Annotated[int, Field(ge=0)] = 0  # latents to re-estimate statistics; 0: keep them
    patience: Annotated[int, Field(ge=0)] = 0  # stop after this many evaluations without improvement; 0: never
    log_every: Count = 100  # steps
    evaluate_every: Count = 1  # epochs
    sample_every: Count = 1  # in units of sample_unit
    sample_unit: Literal["step", "epoch"] = "epoch"
    checkpoint_every: Count = 1_000  # steps


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Distillation:
    """Train the preset's network, the student, to reproduce the images of the adversarial generator, its teacher."""

    bank: Count  # teacher images, generated once
    steps: Count
    batch_size: Count = 500
    learning_rate: Schedule  # of Adam
    betas: tuple[float, float] = (0.9, 0.99)
    log_every: Count = 250  # steps
    evaluate_every: Count = 2_500  # steps; also for samples and checkpoints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MomentMatching:
    """Fine-tune by matching the feature moments of generated and real digits, without a discriminator."""

    steps: Count
    batch_size: Count = 250  # rounded down to a multiple of the number of classes
    learning_rate: Schedule  # of Adam
    betas: tuple[float, float] = (0.0, 0.99)
    memory: Count = 20_000  # generated digits that the running moments average over
    networks: Count = 4  # feature networks per batch, drawn at random from the pool
    pixel_error: Schedule = 0.0  # weight of the squared error to the images of the adversarial generator
    feature_error: Schedule = 0.0  # weight of the same error in feature space
    within_class: Weight = 3.0  # weight of the per-class moments, relative to those over all digits
    ema: EMA  # the EMA copy of the generator is evaluated and returned
    epochs: Count  # of training for each feature network
    log_every: Count = 250  # steps
    evaluate_every: Count = 250  # steps; also for samples and checkpoints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Encoder:
    """Train an encoder, from images to the latents and labels of the generator."""

    network: Network
    steps: Count
    batch_size: Count = 128  # real digits, and as many generated ones
    learning_rate: Schedule  # of Adam
    betas: tuple[float, float] = (0.9, 0.99)
    augmentation: Weight = 0.0  # strength, for half of the real digits; see `training.fit.warp`
    latent_error: Weight  # weight of the squared error to the latents of generated digits, relative to that in pixels
    prior: Weight  # weight of the mean square of real digits' latents
    label_error: Weight  # weight of the cross-entropy
    log_every: Count = 250  # steps
    evaluate_every: Count = 2_000  # steps; also for samples and checkpoints


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Quantization:
    """Export with 8-bit weights, activations and pixels. Requires a sigmoid after the last linear layer."""

    calibration: Count = 4_000  # generated digits that determine the ranges


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Preset:
    """A model: its generator network, and the loops that train it one after another."""

    name: str
    summary: str  # one line, for cards and listings
    network: Network  # of the exported generator
    latent_dim: Count = 100
    adversarial: Adversarial
    distillation: Distillation | None = None
    moments: MomentMatching | None = None
    encoder: Encoder | None = None
    quantization: Quantization | None = None  # of the export
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1

    @property
    def is_conditional(self) -> bool:
        """Whether the generator takes classes, and so needs labelled images."""
        return bool(self.network.options.get("conditional"))

    @property
    def teacher(self) -> "Preset":
        """The preset of the adversarial generator: a model of its own, if distillation follows; else this preset."""
        if self.adversarial.network is None:
            return self
        network = self.adversarial.network
        return replace(self, network=network, distillation=None, moments=None, encoder=None, quantization=None)

    def loop_seed(self, index: int) -> int:
        """The seed of torch's global random state at the start of a loop; different for each."""
        return self.seed * 1_000 + index


_ADAPTER: TypeAdapter[Preset] = TypeAdapter(Preset)


def to_json(preset: Preset) -> dict[str, Any]:
    """The preset as JSON types, as stored in run directories, weights and cards."""
    content: dict[str, Any] = _ADAPTER.dump_python(preset, mode="json")
    return content


def from_json(text: str | bytes) -> Preset:
    """The inverse of `to_json`, from a JSON text. Raises PresetError if it is not a valid preset."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise PresetError(_message(error)) from None


def change(preset: Preset, *, epochs: int | None = None, seed: int | None = None) -> Preset:
    """Copy the preset with another number of adversarial epochs or seed. Raises PresetError for invalid values."""
    try:
        if epochs is not None:
            preset = replace(preset, adversarial=replace(preset.adversarial, epochs=epochs))
        return preset if seed is None else replace(preset, seed=seed)
    except ValidationError as error:
        raise PresetError(_message(error)) from None


def _message(error: ValidationError) -> str:
    """The first validation error in one line: `adversarial.epochs: input should be ..., got 0`."""
    first, *_ = error.errors(include_url=False, include_context=False)
    where, message = ".".join(map(str, first["loc"])) or "preset", first["msg"]
    return f"{where}: {message[:1].lower()}{message[1:]}, got {shown(first['input'])}"
