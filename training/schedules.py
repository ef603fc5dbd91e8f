"""Schedules: hyperparameters that may change over a stage. A schedule is a constant or one of the classes below."""

import math
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)  # for all classes that presets consist of
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


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
    """Linear warm-up from 0 to start over the fraction `warm_up` of the stage, then cosine annealing to end.

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
    """The value of a schedule at a progress from 0, the start of the stage, to 1, its end."""
    return float(schedule) if isinstance(schedule, int | float) else schedule.at(progress)
