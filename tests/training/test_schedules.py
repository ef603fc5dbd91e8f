"""Schedules go where they say, and those that cannot be are refused in words."""

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.errors import PresetError
from training.schedules import SCHEDULES, check, value_at

numbers = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)
shares = st.floats(0, 1)
SHAPES = {"linear": numbers, "cosine": numbers, "exponential": positive}

between = st.sampled_from(sorted(SHAPES)).flatmap(
    lambda kind: st.fixed_dictionaries({"kind": st.just(kind), "start": SHAPES[kind], "end": SHAPES[kind]})
)
warming = st.fixed_dictionaries(
    {"kind": st.just("cosine"), "start": numbers, "end": numbers, "warm_up": st.floats(0.01, 0.99)}
)


def test_every_kind_is_tried() -> None:
    assert {*SHAPES, "constant"} == set(SCHEDULES)


@given(numbers, shares)
def test_a_number_stays(number: float, progress: float) -> None:
    for schedule in (number, {"kind": "constant", "value": number}):
        check("learning_rate", schedule)
        assert value_at(schedule, progress) == number


@given(between)
@example({"kind": "exponential", "start": 0.3, "end": 0.9})  # 0.3 * (0.9 / 0.3) is not 0.9
@example({"kind": "linear", "start": 0.3, "end": 0.9})  # nor is 0.3 + (0.9 - 0.3)
def test_ends_are_met_exactly(schedule: dict[str, Any]) -> None:
    check("learning_rate", schedule)
    assert value_at(schedule, 0) == schedule["start"]
    assert value_at(schedule, 1) == schedule["end"]


@given(between, shares, shares)
def test_the_way_is_monotone_and_within_the_ends(schedule: dict[str, Any], one: float, other: float) -> None:
    low, high = sorted((schedule["start"], schedule["end"]))
    slack = 1e-12 * max(abs(low), abs(high))
    earlier, later = value_at(schedule, min(one, other)), value_at(schedule, max(one, other))
    assert low - slack <= earlier <= high + slack
    assert low - slack <= later <= high + slack
    rises = schedule["end"] >= schedule["start"]
    assert (later - earlier if rises else earlier - later) >= -slack


@pytest.mark.parametrize(
    ("kind", "quarter", "half"),
    [
        ("linear", 7.75, 5.5),
        ("cosine", 5.5 + 4.5 / math.sqrt(2), 5.5),  # cos(45 degrees)
        ("exponential", 10 / 10**0.25, math.sqrt(10)),
    ],
)
def test_on_the_way_from_ten_to_one(kind: str, quarter: float, half: float) -> None:
    schedule = {"kind": kind, "start": 10, "end": 1}
    assert value_at(schedule, 0.25) == pytest.approx(quarter)
    assert value_at(schedule, 0.5) == pytest.approx(half)


class TestWarmUp:
    @given(warming, shares)
    def test_is_a_line_from_nothing(self, schedule: dict[str, Any], share: float) -> None:
        check("learning_rate", schedule)
        value = value_at(schedule, share * schedule["warm_up"])
        assert value == pytest.approx(share * schedule["start"], rel=1e-9, abs=1e-300)

    @given(warming, shares)
    def test_comes_before_the_whole_cosine(self, schedule: dict[str, Any], share: float) -> None:
        warm_up = schedule["warm_up"]
        plain = {"kind": "cosine", "start": schedule["start"], "end": schedule["end"]}
        value = value_at(schedule, warm_up + share * (1 - warm_up))
        assert value == pytest.approx(value_at(plain, share), rel=1e-6, abs=1e-6)

    @given(warming)
    def test_meets_both_ends(self, schedule: dict[str, Any]) -> None:
        assert value_at(schedule, schedule["warm_up"]) == schedule["start"]
        assert value_at(schedule, 1) == schedule["end"]

    def test_by_hand(self) -> None:
        schedule = {"kind": "cosine", "start": 2e-4, "end": 1e-5, "warm_up": 0.02}
        assert value_at(schedule, 0) == 0
        assert value_at(schedule, 0.01) == pytest.approx(1e-4)
        assert value_at(schedule, 0.02) == 2e-4
        assert value_at(schedule, 0.51) == pytest.approx((2e-4 + 1e-5) / 2)


COSINE = {"kind": "cosine", "start": 2e-4, "end": 1e-5, "warm_up": 0.02}
EXPONENTIAL = {"kind": "exponential", "start": 1.0, "end": 0.1}
SHARE = "a share of the run, from 0 to below 1"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("fast", "expected a finite number or {\"kind\": ...}, got 'fast'"),
        (None, 'expected a finite number or {"kind": ...}, got None'),
        (True, 'expected a finite number or {"kind": ...}, got True'),
        ((1e-4, 1e-5), 'expected a finite number or {"kind": ...}, got (0.0001, 1e-05)'),
        (math.nan, 'expected a finite number or {"kind": ...}, got nan'),
        (-math.inf, 'expected a finite number or {"kind": ...}, got -inf'),
        ({"kind": "step"}, "expected a kind of constant, linear, cosine, exponential, got 'step'"),
        ({"kind": ["cosine"]}, "expected a kind of constant, linear, cosine, exponential, got ['cosine']"),
        ({}, "expected a kind of constant, linear, cosine, exponential, got None"),
        ({"kind": "constant"}, "expected kind, value, got kind"),
        ({"kind": "linear", "start": 1}, "expected kind, start, end, got kind, start"),
        (EXPONENTIAL | {"warm_up": 0.1}, "expected kind, start, end, got kind, start, end, warm_up"),
        (
            {"kind": "cosine", "start": 1, "end": 0, "warmup": 0.1},
            "expected kind, start, end, warm_up (optional), got kind, start, end, warmup",
        ),
        ({"kind": "constant", "value": "0.1"}, "expected value to be a finite number, got '0.1'"),
        (COSINE | {"start": math.inf}, "expected start to be a finite number, got inf"),
        (COSINE | {"end": math.nan}, "expected end to be a finite number, got nan"),
        (COSINE | {"end": False}, "expected end to be a finite number, got False"),
        (COSINE | {"warm_up": -0.1}, f"expected warm_up to be {SHARE}, got -0.1"),
        (COSINE | {"warm_up": 1}, f"expected warm_up to be {SHARE}, got 1"),
        (COSINE | {"warm_up": math.nan}, f"expected warm_up to be {SHARE}, got nan"),
        (EXPONENTIAL | {"start": 0}, "expected start to be a positive number, got 0"),
        (EXPONENTIAL | {"end": -1.0}, "expected end to be a positive number, got -1.0"),
        (EXPONENTIAL | {"end": math.inf}, "expected end to be a positive number, got inf"),
    ],
)
def test_what_is_refused(schedule: object, words: str) -> None:
    with pytest.raises(PresetError) as error:
        check("learning_rate", schedule)
    assert str(error.value) == f"learning_rate: {words}"


def test_integers_beyond_floats_are_refused() -> None:
    with pytest.raises(PresetError, match="decay: expected a finite number or"):
        check("decay", 10**400)


def test_whole_numbers_will_do() -> None:
    for schedule in (3, {"kind": "linear", "start": 1, "end": 3}, {"kind": "exponential", "start": 9, "end": 3}):
        check("decay", schedule)
        assert value_at(schedule, 1) == 3.0
        assert isinstance(value_at(schedule, 1), float)
