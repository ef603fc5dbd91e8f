"""Schedules: hyperparameters that change over a stage. Each is a number, or one of the kinds here."""

import math
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)  # of all data that presets are made of
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class Linear:
    """A line from start to end."""

    start: float
    end: float
    kind: Literal["linear"] = "linear"

    def at(self, progress: float) -> float:
        """The value at a progress from 0 to 1."""
        return self.start * (1 - progress) + self.end * progress


@dataclass(frozen=True, config=STRICT)
class Cosine:
    """A line from 0 to start over the first `warm_up` of the stage, then half a cosine from start to end.

    Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017 (arXiv:1608.03983),
    equation 5, without restarts.
    """

    start: float
    end: float
    warm_up: Share = 0.0
    kind: Literal["cosine"] = "cosine"

    def at(self, progress: float) -> float:
        """The value at a progress from 0 to 1."""
        if progress < self.warm_up:
            return self.start * (progress / self.warm_up)
        angle = math.pi * ((progress - self.warm_up) / (1 - self.warm_up))  # grouped so that it ends at pi itself
        return Linear(self.start, self.end).at((1 - math.cos(angle)) / 2)


@dataclass(frozen=True, config=STRICT)
class Exponential:
    """From start to end, by the same factor in equal times; a product of powers, which meets both ends exactly."""

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
    """The value of a schedule at a progress from 0, the stage's start, to 1, its end."""
    return float(schedule) if isinstance(schedule, int | float) else schedule.at(progress)
