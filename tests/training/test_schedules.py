"""Values of schedules, and validation of their JSON."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from training.schedules import Cosine, Exponential, Linear, Schedule, value_at

SCHEDULES: TypeAdapter[Schedule] = TypeAdapter(Schedule)
numbers = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)
shares = st.floats(0, 1)
between = st.one_of(
    st.builds(Linear, numbers, numbers), st.builds(Cosine, numbers, numbers), st.builds(Exponential, positive, positive)
)
warming = st.builds(Cosine, numbers, numbers, st.floats(0.01, 0.99))


@given(numbers, shares)
def test_constant(number: float, progress: float) -> None:
    assert value_at(number, progress) == number


@given(between)
@example(Exponential(0.3, 0.9))  # 0.3 * (0.9 / 0.3) is not 0.9
@example(Linear(0.3, 0.9))  # nor is 0.3 + (0.9 - 0.3)
def test_endpoints_are_exact(schedule: Linear | Cosine | Exponential) -> None:
    assert value_at(schedule, 0) == schedule.start
    assert value_at(schedule, 1) == schedule.end


@given(between, shares, shares)
def test_monotonic_and_bounded(schedule: Linear | Cosine | Exponential, one: float, other: float) -> None:
    low, high = sorted((schedule.start, schedule.end))
    slack = 1e-12 * max(abs(low), abs(high))
    earlier, later = value_at(schedule, min(one, other)), value_at(schedule, max(one, other))
    assert low - slack <= earlier <= high + slack
    assert low - slack <= later <= high + slack
    assert (later - earlier if schedule.end >= schedule.start else earlier - later) >= -slack


@pytest.mark.parametrize(
    ("schedule", "quarter", "half"),
    [
        (Linear(10.0, 1.0), 7.75, 5.5),
        (Cosine(10.0, 1.0), 5.5 + 4.5 / math.sqrt(2), 5.5),  # cos(45 degrees)
        (Exponential(10.0, 1.0), 10 / 10**0.25, math.sqrt(10)),
    ],
)
def test_intermediate_values(schedule: Schedule, quarter: float, half: float) -> None:
    assert value_at(schedule, 0.25) == pytest.approx(quarter)
    assert value_at(schedule, 0.5) == pytest.approx(half)


class TestWarmUp:
    @given(warming, shares)
    def test_is_linear_from_zero(self, schedule: Cosine, share: float) -> None:
        value = value_at(schedule, share * schedule.warm_up)
        assert value == pytest.approx(share * schedule.start, rel=1e-9, abs=1e-300)

    @given(warming, shares)
    def test_is_followed_by_full_cosine(self, schedule: Cosine, share: float) -> None:
        value = value_at(schedule, schedule.warm_up + share * (1 - schedule.warm_up))
        assert value == pytest.approx(value_at(Cosine(schedule.start, schedule.end), share), rel=1e-6, abs=1e-6)

    def test_known_values(self) -> None:
        schedule = Cosine(2e-4, 1e-5, warm_up=0.02)
        assert value_at(schedule, 0) == 0
        assert value_at(schedule, 0.01) == pytest.approx(1e-4)
        assert value_at(schedule, 0.02) == 2e-4
        assert value_at(schedule, 0.51) == pytest.approx((2e-4 + 1e-5) / 2)


@given(st.one_of(numbers, between, warming))
def test_json_round_trip(schedule: Schedule) -> None:
    assert SCHEDULES.validate_json(SCHEDULES.dump_json(schedule)) == schedule


@pytest.mark.parametrize(
    "text",
    [
        '"fast"',
        "null",
        "[0.0001, 0.00001]",
        "NaN",
        "-Infinity",
        '{"kind": "step"}',
        "{}",
        '{"kind": "linear", "start": 1}',
        '{"kind": "linear", "start": 1, "end": 0, "warm_up": 0.1}',
        '{"kind": "cosine", "start": 1, "end": 0, "warm_up": 1}',
        '{"kind": "cosine", "start": 1, "end": 0, "warm_up": -0.1}',
        '{"kind": "exponential", "start": 0, "end": 1}',
        '{"kind": "exponential", "start": 1, "end": "0.1"}',
        "1" + "0" * 400,
    ],
)
def test_invalid_json_raises(text: str) -> None:
    with pytest.raises(ValidationError):
        SCHEDULES.validate_json(text)
