"""What type checkers make of the public API: mypy and pyright check this file; nothing runs it."""

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

import mnistgen

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]


def sampling(seed: np.uint64, labels: torch.Tensor) -> None:
    assert_type(mnistgen.generate(3), UInt8)
    assert_type(mnistgen.generate(3, digit=np.array([1]), seed=seed), UInt8)
    assert_type(mnistgen.generate_labelled(labels=[1, 2], thickness=(2, 3)), mnistgen.Labelled)
    assert_type(mnistgen.generate(3, labels={"Sneaker": 2, "Bag": 1}), UInt8)
    assert_type(mnistgen.Generator().interpolate("Sneaker", 1), UInt8)
    generator = mnistgen.Generator("digits", device="cpu")
    assert_type(generator.sample(3), UInt8)
    assert_type(generator.sample_labelled(3, slant=0.1), mnistgen.Labelled)
    assert_type(generator.stream(3), Iterator[UInt8])
    assert_type(generator.decode(mnistgen.latents(1, n=3), labels), UInt8)
    assert_type(generator.encode(generator.sample(3)).latents, Float32)
    mnistgen.Generator(device="gpu")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def pictures() -> None:
    assert_type(mnistgen.number("2026", seed=1), UInt8)
    assert_type(mnistgen.imitate(["seven.png"], "2026"), UInt8)
    mnistgen.show(mnistgen.grid(mnistgen.generate(4))).save("grid.png")
    mnistgen.save("walk.gif", mnistgen.Generator().walk((1, 2, 3, 4)), record={"seed": 1})


def the_rest() -> None:
    assert_type(mnistgen.card().to_dict(), dict[str, Any])
    assert_type(mnistgen.measure(mnistgen.generate(4)).slant, Float32)
    assert_type(mnistgen.write_dataset("data", n=100).seed, int)
    assert_type(mnistgen.torch.Digits(100, seed=1)[0][1], Any)
