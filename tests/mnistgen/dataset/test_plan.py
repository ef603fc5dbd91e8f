"""Plans: tasks cover each image once, and are the same for all slices."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mnistgen
from mnistgen._model import find
from mnistgen._dataset.plan import LIMIT, MNIST_COUNTS, SPLITS, Plan, Task, plan_of
from mnistgen._latents import INDICES

PLAN = Plan(
    format="png",
    n=1,
    test=0,
    start=0,
    digits=tuple(range(10)),
    balance="uniform",
    seed=1,
    model="digits",
    model_sha256="",
    latent_dim=64,
    task_size=10,
)
counts = st.integers(0, 500)
starts = st.integers(0, LIMIT - 500) | st.integers(0, 100)


def ranges(tasks: list[Task]) -> dict[str, list[int]]:
    """The images of each split, in task order."""
    return {
        split: [image for task in tasks if task.split == split for image in range(task.first, task.first + task.count)]
        for split in SPLITS
    }


@given(n=counts, test=counts, start=starts, task_size=st.integers(1, 200))
def test_tasks_cover_all_images_in_order(n: int, test: int, start: int, task_size: int) -> None:
    tasks = list(replace(PLAN, n=n, test=test, start=start, task_size=task_size).tasks())
    assert [task.number for task in tasks] == list(range(len(tasks)))
    assert ranges(tasks) == {"train": list(range(start, start + n)), "test": list(range(test))}
    assert all(task.part == task.first // task_size for task in tasks)
    assert all(task.part == (task.first + task.count - 1) // task_size for task in tasks)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 10), st.integers(1, 50))
def test_slices_have_same_tasks_as_whole(parts: list[int], first: int, task_size: int) -> None:
    def parts_of(start: int, count: int) -> list[tuple[int, ...]]:
        plan = replace(PLAN, n=count * task_size, start=start * task_size, task_size=task_size)
        return [(task.part, task.first, task.count) for task in plan.tasks()]

    whole = parts_of(first, sum(parts))
    apart = [task for k, count in enumerate(parts) for task in parts_of(first + sum(parts[:k]), count)]
    assert apart == whole


def test_splits_are_disjoint() -> None:
    assert SPLITS["train"] + LIMIT <= SPLITS["test"]
    assert SPLITS["test"] + LIMIT <= INDICES


def test_weights() -> None:
    assert sum(MNIST_COUNTS) == 60_000
    assert replace(PLAN, balance="mnist").weights == MNIST_COUNTS
    assert replace(PLAN, digits=(3, 5)).weights == (0, 0, 0, 1, 0, 1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n: expected a whole number, 0 or more, got -1"),
        ({"n": 0, "test": 0}, "n: expected at least one training or test image, got none"),
        ({"n": LIMIT, "start": 1}, f"n: expected a whole number, at most {LIMIT - 1}, got {LIMIT}"),
        ({"test": 1.5}, "test: expected a whole number, 0 or more, got 1.5"),
        ({"digits": [3, 10]}, "digits: expected a whole number, 0 to 9, got 10"),
        ({"digits": []}, "digits: expected a whole number, 0 to 9, or several, got none"),
        ({"balance": "even"}, "balance: expected one of uniform, mnist, got 'even'"),
        ({"seed": -1}, "seed: expected a whole number, 0 or more, got -1"),
    ],
)
def test_invalid_arguments(conditional_model: Path, arguments: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"n": 1, "test": 1, "start": 0, "digits": range(10), "balance": "uniform", "seed": 1}
    with pytest.raises(mnistgen.InputError) as error:
        plan_of(find(conditional_model).card, "idx", 10, **asked | arguments)
    assert str(error.value) == message


def test_unconditional_models_have_no_labels(unconditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError, match=r"labelled data sets: model small is unconditional.*digits"):
        plan_of(find(unconditional_model).card, "idx", 10, n=1, test=1, start=0, digits=[1], balance="mnist", seed=1)
