"""Plans: blocks cover each image once, in order, and are the same for all slices."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mnistgen
from mnistgen._latents import INDICES
from mnistgen._model import card
from mnistgen.dataset.plan import BLOCK, LIMIT, MNIST_COUNTS, SPLITS, Plan, plan_of

NOTHING: dict[str, Any] = {"attributes": {}, "style": None, "spread": 0.3}


def planned(**changes: Any) -> Plan:
    wanted: dict[str, Any] = {"n": 1, "test": 0, "start": 0, "digits": range(10), "balance": "uniform", "seed": 1}
    return plan_of(card(changes.pop("model", "digits")), **wanted | {"shard_size": 10} | NOTHING | changes)


PLAN = planned()
counts = st.integers(0, 5 * BLOCK)
starts = st.integers(0, LIMIT - 5 * BLOCK) | st.integers(0, 100)


@given(n=counts, test=counts, start=starts, shard_size=st.integers(1, 3 * BLOCK))
def test_blocks_cover_all_images_in_order(n: int, test: int, start: int, shard_size: int) -> None:
    plan = replace(PLAN, n=n, test=test, start=start, shard_size=shard_size)
    assert plan.ranges().keys() == {split for split, count in (("train", n), ("test", test)) if count}
    for split, images in plan.ranges().items():
        blocks = list(plan.blocks(split))
        assert [block.start for block in blocks] == [images.start, *(block.stop for block in blocks[:-1])]
        assert blocks[-1].stop == images.stop
        for size in (BLOCK, shard_size):
            assert all(block.start // size == (block.stop - 1) // size for block in blocks)


def test_slices_have_the_same_pixels(conditional_model: Path) -> None:
    plan = planned(n=3 * BLOCK, model=conditional_model)
    generator = mnistgen.Generator(conditional_model, threads=1)
    whole = plan.draw(generator, "train", range(BLOCK, 2 * BLOCK))
    part = plan.draw(generator, "train", range(BLOCK + 7, BLOCK + 29))
    assert np.array_equal(part.images, whole.images[7:29])
    assert np.array_equal(part.labels, whole.labels[7:29])


def test_splits_are_disjoint() -> None:
    assert SPLITS["train"] + LIMIT <= SPLITS["test"]
    assert SPLITS["test"] + LIMIT <= INDICES


@pytest.mark.parametrize(
    ("digits", "balance", "weights"),
    [
        (range(10), "mnist", MNIST_COUNTS),
        ([3, 5], "uniform", (0, 0, 0, 1, 0, 1, 0, 0, 0, 0)),
        ([1, 1, 1, 7], "uniform", (0, 3, 0, 0, 0, 0, 0, 1, 0, 0)),
        ({7: 1, 1: 3}, "uniform", (0, 3, 0, 0, 0, 0, 0, 1, 0, 0)),
        ([0, 0, 1], "mnist", (2 * MNIST_COUNTS[0], MNIST_COUNTS[1], 0, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_weights(digits: Any, balance: str, weights: tuple[int, ...]) -> None:
    assert planned(digits=digits, balance=balance).request.weights == weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n: expected a whole number, 0 or more, got -1"),
        ({"n": 0}, "n: expected at least one training or test image, got none"),
        ({"n": LIMIT, "start": 1}, f"n: expected a whole number, at most {LIMIT - 1}, got {LIMIT}"),
        ({"test": 1.5}, "test: expected a whole number, 0 or more, got 1.5"),
        ({"digits": [3, 10]}, "digits: expected a whole number, 0 to 9, got 10"),
        ({"digits": {3: 0}}, "digits: weight: expected a whole number, 1 or more, got 0"),
        ({"digits": []}, "digits: expected some of 0 to 9, got none"),
        ({"balance": "even"}, "balance: expected one of uniform, mnist, got 'even'"),
        ({"seed": -1}, "seed: expected a whole number, 0 or more, got -1"),
        ({"shard_size": 0}, "shard_size: expected a whole number, 1 or more, got 0"),
        ({"spread": 2, "style": np.zeros(64)}, "spread: expected a number from 0 to 1, got 2"),
        ({"style": np.zeros(100)}, "style: expected float (N, 64) or (64,) from -1000 to 1000, got float64 (100,)"),
        ({"attributes": {"slant": [0.1, 0.2]}}, "slant: expected a number or a range (low, high), got [0.1, 0.2]"),
        ({"attributes": {"slant": (0.3, 0.1)}}, "slant: expected a range from low to high, got (0.3, 0.1)"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        planned(**arguments)
    assert str(error.value) == message


def test_unconditional_models_have_no_labels(unconditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError, match=r"labelled data sets: model small is unconditional.*digits"):
        planned(model=unconditional_model)
