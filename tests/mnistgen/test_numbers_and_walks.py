"""Generator.number, interpolate and walk."""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnistgen
from mnistgen._latents import draw
from tests.mnistgen.conftest import near


class TestNumber:
    def test_digits_share_latents(self, generator: mnistgen.Generator) -> None:
        number = generator.number("20 26", seed=3)
        assert number.shape == (28, 5 * 28)
        assert number.dtype == np.uint8
        style, _ = draw(3, 0, 1, generator.card.latent_dim)
        digits = generator.decode(np.repeat(style, 4, axis=0), [2, 0, 2, 6])
        parts = np.split(number, 5, axis=1)
        assert near(np.stack([parts[place] for place in (0, 1, 3, 4)]), digits)
        assert not parts[2].any()

    def test_truncation_and_shortcut(self, generator: mnistgen.Generator, conditional_model: Path) -> None:
        number = mnistgen.number("7", seed=3, truncation=0.5, model=conditional_model)
        assert near(number[None], generator.sample(digit=7, seed=3, truncation=0.5))

    def test_random_seed_is_logged(self, generator: mnistgen.Generator, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="mnistgen"):
            number = generator.number("12")
        assert near(number, generator.number("12", seed=int(caplog.messages[0].removeprefix("seed "))))

    @pytest.mark.parametrize("text", ["20x6", "", " ", "-1", "1\n2", "٣", ["1"], None])
    def test_refused(self, generator: mnistgen.Generator, text: Any) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            generator.number(text)
        assert str(error.value) == f"text: expected digits and spaces, at least one digit, got {text!r}"

    def test_unconditional_models(self, unconditional_model: Path) -> None:
        with pytest.raises(mnistgen.InputError, match="text '7': model small is unconditional"):
            mnistgen.Generator(unconditional_model).number("7")


class TestWalks:
    def test_ends_and_corners_are_digits_of_the_seed(self, generator: mnistgen.Generator) -> None:
        frames = generator.interpolate(3, 8, frames=7, seed=2)
        assert frames.shape == (7, 28, 28)
        assert near(frames[[0, -1]], generator.sample(labels=[3, 8], seed=2))
        assert all(not near(one, other) for one, other in pairwise(frames))
        images = generator.walk((0, 1, 2, 3), rows=3, columns=40, seed=2)  # more than one chunk
        assert images.shape == (120, 28, 28)
        assert near(images[[0, 39, 80, 119]], generator.sample(labels=[0, 1, 2, 3], seed=2))

    def test_unconditional_models(self, unconditional_model: Path) -> None:
        generator = mnistgen.Generator(unconditional_model)
        assert near(generator.interpolate(frames=5, seed=2)[[0, -1]], generator.sample(2, seed=2))
        assert near(generator.walk(rows=2, columns=2, seed=2), generator.sample(4, seed=2))
        with pytest.raises(mnistgen.InputError, match="labels: model small is unconditional"):
            generator.interpolate(3, 8)
        with pytest.raises(mnistgen.InputError, match="labels: model small is unconditional"):
            generator.walk((1, 2, 3, 4))

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda it: it.interpolate(3, 8, frames=1), "frames: expected a whole number, 2 or more, got 1"),
            (lambda it: it.interpolate(3, 10), "last: expected a whole number, 0 to 9, got 10"),
            (lambda it: it.interpolate(3), "last: expected a whole number, 0 to 9, got None"),
            (lambda it: it.interpolate(), "first: expected a whole number, 0 to 9, got None"),
            (lambda it: it.walk((1, 2, 3)), "corners: expected 4 labels, got 3"),
            (lambda it: it.walk((1, 2, 3, 11)), "corners: bottom right: expected a whole number, 0 to 9, got 11"),
            (lambda it: it.walk((1, 2, 3, 4), rows=1), "rows: expected a whole number, 2 or more, got 1"),
            (
                lambda it: it.walk((1, 2, 3, 4), rows=10**4, columns=10**4),
                "rows times columns: expected a whole number, at most 10000000, got 100000000",
            ),
        ],
    )
    def test_refused(self, generator: mnistgen.Generator, call: Callable[..., object], message: str) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            call(generator)
        assert str(error.value) == message

    def test_memory_usage(self, generator: mnistgen.Generator) -> None:
        tracemalloc.start()
        try:
            generator.interpolate(1, 2, frames=20_000, seed=1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 17.5e6  # bytes: the images take 15.7e6, the latents of all frames would take several times 2.4e6
