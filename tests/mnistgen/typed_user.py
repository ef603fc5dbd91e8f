"""What type checkers make of the public API: mypy and pyright check this file; nothing runs it."""

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

import mnistgen

UInt8 = NDArray[np.uint8]


def sampling(flag: bool, seed: np.uint64, labels: torch.Tensor) -> None:
    assert_type(mnistgen.generate(3), UInt8)
    assert_type(mnistgen.generate(3, digit=np.array([1]), seed=seed), UInt8)
    assert_type(mnistgen.generate(labels=[1, 2], return_labels=True), mnistgen.Labelled)
    assert_type(mnistgen.generate(3, return_labels=flag), UInt8 | mnistgen.Labelled)
    generator = mnistgen.Generator("digits", device="cpu")
    assert_type(generator.sample(3, return_labels=True), mnistgen.Labelled)
    assert_type(generator.sample(3, return_labels=flag), UInt8 | mnistgen.Labelled)
    assert_type(generator.stream(3), Iterator[UInt8])
    assert_type(generator.stream(3, return_labels=True), Iterator[mnistgen.Labelled])
    assert_type(generator.decode(mnistgen.latents(1, n=3), labels), UInt8)
    mnistgen.Generator(device="gpu")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def pictures(generator: mnistgen.Generator) -> None:
    assert_type(mnistgen.number("2026", seed=1), UInt8)
    mnistgen.show(mnistgen.grid(mnistgen.generate(4))).save("grid.png")
    drawing: mnistgen.drawings.Drawing = mnistgen.drawings.Walk(corners=(1, 2, 3, 4))
    drawing.save("walk.png", generator)
    assert_type(mnistgen.reproduce("walk.png").same, bool)


def the_rest() -> None:
    assert_type(mnistgen.card().to_dict(), dict[str, Any])
    assert_type(mnistgen.doctor().wrong, bool)
    assert_type(mnistgen.write_dataset("data", n=100).files, int)
    assert_type(mnistgen.torch.Digits(100, seed=1)[0][1], int)
