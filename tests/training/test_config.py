"""Presets and schedules: values, conversion to JSON, validation."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.config import Cosine, Exponential, Linear, Preset, Schedule, from_json, to_json, value_at
from training.errors import PresetError
from training.presets import PRESETS, QUICK, resolve

numbers, positive, shares = st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.floats(0, 1)
schedules = st.builds(Linear, numbers, numbers) | st.builds(Cosine, numbers, numbers)


@given(schedules | st.builds(Exponential, positive, positive), shares, shares)
@example(Exponential(0.3, 0.9), 0, 1)  # 0.3 * (0.9 / 0.3) is not 0.9
@example(Linear(0.3, 0.9), 0, 1)  # nor is 0.3 + (0.9 - 0.3)
def test_schedules_are_monotonic_and_exact_at_both_ends(
    schedule: Linear | Cosine | Exponential, one: float, two: float
) -> None:
    start, *between, end = (value_at(schedule, progress) for progress in (0, *sorted((one, two)), 1))
    assert (start, end) == (schedule.start, schedule.end)
    slack, direction = 1e-12 * max(abs(start), abs(end)), math.copysign(1, end - start)
    assert all(direction * (after - before) >= -slack for before, after in pairwise((start, *between, end)))


@pytest.mark.parametrize(
    ("schedule", "quarter", "half"),
    [
        (Linear(10.0, 1.0), 7.75, 5.5),
        (Cosine(10.0, 1.0), 5.5 + 4.5 / math.sqrt(2), 5.5),  # cos(45 degrees)
        (Cosine(10.0, 1.0, warm_up=0.5), 5.0, 10.0),
        (Exponential(10.0, 1.0), 10 / 10**0.25, math.sqrt(10)),
    ],
)
def test_known_values_of_schedules(schedule: Schedule, quarter: float, half: float) -> None:
    assert [value_at(schedule, 0.25), value_at(schedule, 0.5)] == pytest.approx([quarter, half])


@pytest.mark.parametrize("preset", [*PRESETS.values(), QUICK], ids=[*PRESETS, "quick"])
def test_presets_survive_json(preset: Preset) -> None:
    assert from_json(json.dumps(to_json(preset))) == preset


def test_unknown_presets_and_invalid_changes() -> None:
    with pytest.raises(PresetError, match=r"^no preset 'dcgn': did you mean dcgan\? known presets are digits, dcgan, "):
        resolve("dcgn")
    with pytest.raises(PresetError, match=r"^epochs: input should be greater than or equal to 1, got 0$"):
        resolve("digits", epochs=0)
    with pytest.raises(PresetError, match=r"^--quick is a short form of digits; omit --preset"):
        resolve("mlp", quick=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"latent_dim": 100', '"latent_dim": "many"', "latent_dim: input should be a valid integer, got 'many'"),
        ('"loss"', '"lost"', "adversarial.loss: field required, got "),
        ("0.0002", "NaN", "adversarial.learning_rate.float: input should be a finite number, got "),
        ("0.0002", '{"kind": "cosine", "start": 1, "end": 0, "warm_up": 1}', "adversarial.learning_rate."),
        ("{", "", "preset: invalid JSON"),
    ],
)
def test_invalid_json(old: str, new: str, message: str) -> None:
    with pytest.raises(PresetError) as error:
        from_json(json.dumps(to_json(PRESETS["mlp"])).replace(old, new))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
