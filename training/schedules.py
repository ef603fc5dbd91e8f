"""SCHEDULES: values that change over a run, as data that presets and cards hold.

A schedule is a number, which stays, or a mapping: its kind, a row of SCHEDULES, and what that kind asks for:

{"kind": "constant", "value": 2e-4}
{"kind": "linear", "start": 2e-4, "end": 0.0}
{"kind": "cosine", "start": 2e-4, "end": 1e-5, "warm_up": 0.02}
{"kind": "exponential", "start": 1.0, "end": 0.1}
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from training.errors import PresetError

Schedule = float | Mapping[str, Any]


@dataclass(frozen=True)
class Range:
    """What a number in a schedule has to be."""

    words: str
    holds: Callable[[float], bool]


FINITE = Range("a finite number", lambda number: True)
POSITIVE = Range("a positive number", lambda number: number > 0)
SHARE = Range("a share of the run, from 0 to below 1", lambda number: 0 <= number < 1)


@dataclass(frozen=True)
class Kind:
    """One kind of schedule: its value, from the progress (0 to 1) and the fields by name, and what the fields are."""

    value: Callable[..., float]
    fields: Mapping[str, Range]
    optional: tuple[str, ...] = ()


def _constant(progress: float, *, value: float) -> float:
    return value


def _linear(progress: float, *, start: float, end: float) -> float:
    return start * (1 - progress) + end * progress


def _cosine(progress: float, *, start: float, end: float, warm_up: float = 0.0) -> float:
    """A line from 0 to start over the first `warm_up` of the run, then half a cosine from start to end.

    Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017 (arXiv:1608.03983),
    equation 5, without restarts.
    """
    if progress < warm_up:
        return start * (progress / warm_up)
    angle = math.pi * ((progress - warm_up) / (1 - warm_up))  # grouped so that it ends at pi itself
    return _linear((1 - math.cos(angle)) / 2, start=start, end=end)


def _exponential(progress: float, *, start: float, end: float) -> float:
    """Every stretch of the run multiplies by the same; a product of powers, which meets both ends exactly."""
    return float(start ** (1 - progress) * end**progress)


SCHEDULES: dict[str, Kind] = {
    "constant": Kind(_constant, {"value": FINITE}),
    "linear": Kind(_linear, {"start": FINITE, "end": FINITE}),
    "cosine": Kind(_cosine, {"start": FINITE, "end": FINITE, "warm_up": SHARE}, optional=("warm_up",)),
    "exponential": Kind(_exponential, {"start": POSITIVE, "end": POSITIVE}),
}


def value_at(schedule: Schedule, progress: float) -> float:
    """The value of a schedule that `check` let pass at a progress from 0, the run's start, to 1, its end."""
    if not isinstance(schedule, Mapping):
        return float(schedule)
    return float(SCHEDULES[schedule["kind"]].value(progress, **_fields(schedule)))


def check(name: str, schedule: object) -> None:
    """Raises PresetError, in one line that begins with the name, where the schedule is not one."""
    if not isinstance(schedule, Mapping):
        if not _is_finite(schedule):
            raise PresetError(f'{name}: expected a finite number or {{"kind": ...}}, got {schedule!r}')
        return
    chosen = schedule.get("kind")
    kind = SCHEDULES.get(chosen) if isinstance(chosen, str) else None
    if kind is None:
        raise PresetError(f"{name}: expected a kind of {', '.join(SCHEDULES)}, got {chosen!r}")
    known = ("kind", *kind.fields)
    if not set(known) - set(kind.optional) <= set(schedule) <= set(known):
        wanted = ", ".join(f"{key} (optional)" if key in kind.optional else key for key in known)
        raise PresetError(f"{name}: expected {wanted}, got {', '.join(map(str, schedule))}")
    for field, value in _fields(schedule).items():
        expected = kind.fields[field]
        if not (_is_finite(value) and expected.holds(value)):
            raise PresetError(f"{name}: expected {field} to be {expected.words}, got {value!r}")


def _fields(schedule: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schedule.items() if key != "kind"}


def _is_finite(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max  # takes integers that math.isfinite overflows on
