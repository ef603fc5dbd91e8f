"""CALLS: public functions with arguments of any type and value."""

import itertools
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

import mnistgen
from tests.faults.sets import model
from tests.faults.trials import Outcome, call_problem

DEFAULT = object()  # placeholder for an omitted argument
MANY = 10**13  # more than fits into memory


class _Broken:
    """An object whose special methods all raise."""

    def __repr__(self) -> str:
        raise RuntimeError("no\nrepr")

    def __index__(self) -> int:
        raise ValueError("no\nindex")

    def __len__(self) -> int:
        raise OSError("no\nlength")

    def __array__(self, *more: Any, **most: Any) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def __bool__(self) -> bool:
        raise ValueError("no\ntruth")

    def __eq__(self, other: object) -> bool:
        raise TypeError("no\nequality")

    __hash__ = None  # type: ignore[assignment]


class _Lying(_Broken):
    """An object that pretends to be a number, a sequence and a path."""

    def __index__(self) -> int:
        return "one"  # type: ignore[return-value]

    def __len__(self) -> int:
        return -1

    def __fspath__(self) -> str:
        return 1  # type: ignore[return-value]


def _filled(value: Any, kind: Any = np.float32, *shape: int) -> Any:
    return np.full(shape or (3, 10), value, kind)


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 10, 2**63, 2**64, -(2**70), 10**5000, MANY, 0.5, 1.0, -0.0, 1e300, 1j),
    *(float("nan"), float("inf"), Decimal(3), Fraction(1, 3), "", "3", "cpu", "digits", "\0", "\ud800", "a\nb"),
    *("x" * 700, ".", "/", b"3", b"\xff", "s3://", "reference://", "hf://", "://", "nosuch://x", "memory://set"),
    *([], (), {}, set(), object(), _Broken(), _Lying(), _Broken, iter((1, 2)), [3] * 2000, Path("data"), {3: 4}),
    *([[1], [1, 2]], [None, 3], ["1", 2], [1.5, 2], [_Broken()], np.array(3), np.array(3.0), np.array("x")),
    *(np.array([1, 2]), np.int64(3), np.float32(0.5), np.array([[1], [2]]), np.array([1, None], object)),
    *(_filled(0, np.float32, 0, 10), _filled(0, np.float32, 0), _filled(0, np.float32, 3, 0), _filled(0, complex)),
    *(_filled(0.1), _filled(float("nan")), _filled(3e38), _filled(-3e38), _filled(0.1, ml_dtypes.bfloat16)),
    *(_filled(_Broken, object, 3), np.eye(10, dtype=np.float16)[:3], np.eye(10)[:3] * 2, np.ma.array([1, 2, 3])),
    *(np.array([[5.0, -4.0, *[0.0] * 8]] * 3), np.array([[1e30, 1 - 1e30, *[0.0] * 8]] * 3)),
    *(np.array([1, 2, 3], ">i8"), np.array([1, 2, 3], np.uint64), np.datetime64("2026-01-01")),
)


class Called(NamedTuple):
    """A function, and valid values for its arguments."""

    function: Callable[..., Any]
    arguments: dict[str, tuple[Any, ...]]


MIXTURES = np.full((3, 10), 0.1)
LATENTS = np.random.default_rng(1).normal(size=(3, 10)).astype(np.float32)
Arguments = dict[str, tuple[Any, ...]]
REQUEST: Arguments = {
    "n": (None, 1, 3),
    "digit": (None, 3, [1, 2]),
    "labels": (None, [1, 2, 3], MIXTURES),
    "seed": (None, 1, 2**64 - 1),
    "start": (0, 5, 2**62),
    "truncation": (1.0, 0, 0.5),
    "return_labels": (False, True),
    **dict.fromkeys(("thickness", "slant", "width", "height"), (None,)),
}
SET: Arguments = {
    "out": ("data",),
    "n": (5,),
    "test": (0, 2),
    "format": ("idx", "npz", "webdataset"),
    "digits": (range(10), [3]),
    "shard_size": (None, 3),
    **dict.fromkeys(("resume", "force"), (False, True)),
    "style": (None, np.zeros(10)),
    "spread": (0.3,),
    **dict.fromkeys(("workers", "address", "seed", "start", "balance", "engine"), (DEFAULT,)),
    **dict.fromkeys(("thickness", "slant", "width", "height"), (None,)),
}


@cache
def generator() -> mnistgen.Generator:
    """A generator with a small model."""
    return mnistgen.Generator(model(), threads=1)


@cache
def able() -> mnistgen.Generator:
    """A generator with attributes and an encoder."""
    return mnistgen.Generator(threads=1)


def _stream(**given: Any) -> None:
    for _ in itertools.islice(generator().stream(**given), 2):
        pass


def _method(name: str, opened: Callable[[], mnistgen.Generator] = generator) -> Callable[..., Any]:
    return lambda **given: getattr(opened(), name)(**given)


def _drawing(name: str, arguments: Arguments) -> Called:
    def save(path: Any, **given: Any) -> None:
        getattr(mnistgen.drawings, name)(**given).save(path, generator())

    return Called(save, {"path": ("a.png", "a.gif"), "seed": (1,), "scale": (1, 2)} | arguments)


REQUEST_OF_A_GRID = {name: REQUEST[name] for name in ("n", "digit", "start", "truncation")} | {"n": (1, 3)}
IMAGES: Arguments = {"images": (np.zeros((3, 28, 28), np.uint8),), "columns": (None, 2), "scale": (1, 2)}
MODEL, TEXT = {"model": (model,)}, {"text": ("12 3",), "seed": (1, None), "truncation": (1.0,)}
REAL = np.tile(np.arange(28, dtype=np.uint8) * 9, (3, 28, 1))
ATTRIBUTES: Arguments = {"thickness": (None, 2.5), "slant": (0.1, [0.1, 0.2, 0.3]), "width": (None,), "height": (18.0,)}
CALLS: Mapping[str, Called] = {
    "generate": Called(mnistgen.generate, REQUEST | MODEL),
    "number": Called(mnistgen.number, TEXT | MODEL),
    "latents": Called(mnistgen.latents, {"seed": (1,), "start": (0, 5), "n": (1, 3)} | MODEL),
    "Generator": Called(mnistgen.Generator, {"device": ("cpu", "auto"), "threads": (1, 2)} | MODEL),
    "Generator.sample": Called(_method("sample"), REQUEST),
    "Generator.stream": Called(_stream, REQUEST | {"batch_size": (1, 2)}),
    "Generator.decode": Called(_method("decode"), {"latents": (LATENTS,), "labels": ([1, 2, 3], MIXTURES)}),
    "Generator.decode with attributes": Called(
        _method("decode", able), {"latents": (np.zeros((3, 64)),), "labels": ([1, 2, 3], MIXTURES)} | ATTRIBUTES
    ),
    "Generator.encode": Called(
        _method("encode", able),
        {"images": (REAL,), "labels": (None, [1, 2, 3]), "steps": (0, 1), "return_labels": (False, True)},
    ),
    "imitate": Called(mnistgen.imitate, {"images": (REAL, "a.png"), "text": ("12 3",), "steps": (0, 1)}),
    "read_digits": Called(mnistgen.read_digits, {"pictures": ("a.png", ["a.png"])}),
    "Generator.number": Called(_method("number"), TEXT | {"style": (None, np.zeros(10))}),
    "Generator.interpolate": Called(
        _method("interpolate"), {"first": (3,), "last": (8,), "frames": (2, 5), "seed": (1,)}
    ),
    "Generator.walk": Called(
        _method("walk"), {"corners": ([3, 5, 8, 9],), "rows": (2,), "columns": (3,), "seed": (1,)}
    ),
    "card": Called(mnistgen.card, MODEL),
    "reproduce": Called(mnistgen.reproduce, {"path": ("data/dataset.json", "a.png"), "out": (None, "b.png")} | MODEL),
    "DigitGrid": _drawing("DigitGrid", REQUEST_OF_A_GRID | {"columns": (None, 2)}),
    "Number": _drawing("Number", {"text": ("12 3",), "truncation": (1.0,), "style": (None, [0.5] * 10)}),
    "Interpolation": _drawing("Interpolation", {"first": (3,), "last": (8,), "frames": (2, 5), "fps": (20.0,)}),
    "Walk": _drawing("Walk", {"corners": ([3, 5, 8, 9],), "rows": (2,), "columns": (3,)}),
    "write_dataset": Called(mnistgen.write_dataset, SET | MODEL),
    "measure": Called(mnistgen.measure, {"images": IMAGES["images"]}),
    "grid": Called(mnistgen.grid, IMAGES),
    "show": Called(mnistgen.show, IMAGES),
    "save": Called(
        mnistgen.save,
        IMAGES | {"path": ("a.png", "a.npz", "a.gif"), "labels": (None, [1, 2, 3]), "fps": (20.0,)},
    ),
}


def trial(source: random.Random, workdir: Path) -> Outcome:
    """A call with one or a few invalid arguments."""
    name = source.choice(list(CALLS))
    called = CALLS[name]
    given = {key: source.choice(values) for key, values in called.arguments.items()}
    for key in source.sample(list(given), min(len(given), source.choice((1, 1, 1, 2, 3)))):
        given[key] = source.choice(ODD)
        if name == "write_dataset" and given[key] is MANY:
            given[key] = 4  # otherwise it would write all of them
    given = {key: model() if value is model else value for key, value in given.items() if value is not DEFAULT}
    return Outcome(f"{name}({_shown(given)})", call_problem(lambda: called.function(**given)))


def _shown(given: Mapping[str, Any]) -> str:
    def text(value: Any) -> str:
        try:
            return repr(value)[:200]
        except Exception:  # noqa: BLE001 - of broken objects
            return type(value).__name__

    return ", ".join(f"{key}={text(value)}" for key, value in given.items())
