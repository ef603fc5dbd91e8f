"""A matrix product on onnxruntime, the reference for the speed of a model on this machine.

Each graph in products/ is a single product; tests check them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen._session import open_graph

PRODUCTS = Path(__file__).parent / "products"
SIDE = 1024  # of both matrices: large enough to keep threads busy, small enough to be quick
MULTIPLY_ADDS = SIDE**3

# Name of a graph -> types of both matrices. int8 multiplies in 8 bits, as quantized models do.
ARITHMETICS: dict[str, tuple[type[Any], type[Any]]] = {"float32": (np.float32, np.float32), "int8": (np.uint8, np.int8)}


def product(arithmetic: str, threads: int) -> Callable[[], Any]:
    """A function that multiplies two matrices (1024, 1024) on the CPU and returns float32 or int32 (1024, 1024).

    Raises DeviceError if onnxruntime cannot be imported, and ModelError if the graph cannot be read.
    """
    session = open_graph(PRODUCTS / f"{arithmetic}.onnx", threads)
    rng = np.random.default_rng(0)
    left, right = (rng.integers(0, 100, (SIDE, SIDE)).astype(kind) for kind in ARITHMETICS[arithmetic])
    return lambda: session.run(["product"], {"left": left, "right": right})[0]
