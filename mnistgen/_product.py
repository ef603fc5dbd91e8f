"""A matrix product on onnxruntime: how fast this machine multiplies, in the library that the models run on.

The graphs in products/ are a single product each; tests hold them to their description.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen._session import open_graph

PRODUCTS = Path(__file__).parent / "products"
SIDE = 1024  # of both matrices: large enough for the threads, small enough to be quick
MULTIPLY_ADDS = SIDE**3

# Arithmetic -> the types of both matrices. NAME.onnx multiplies them: int8 in 8 bits, as quantized models do.
ARITHMETICS: dict[str, tuple[type[Any], type[Any]]] = {"float32": (np.float32, np.float32), "int8": (np.uint8, np.int8)}


def product(arithmetic: str, threads: int) -> Callable[[], Any]:
    """A product of two matrices (1024, 1024), ready to be called, on the CPU; it returns float32 or int32 (1024, 1024).

    Raises DeviceError where onnxruntime cannot be imported, ModelError where its graph cannot be read.
    """
    session = open_graph(PRODUCTS / f"{arithmetic}.onnx", threads)
    source = np.random.default_rng(0)
    left, right = (source.integers(0, 100, (SIDE, SIDE)).astype(kind) for kind in ARITHMETICS[arithmetic])
    return lambda: session.run(["product"], {"left": left, "right": right})[0]
