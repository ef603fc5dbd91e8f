"""The speed of a model on this machine, compared with a plain matrix product."""

import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, SupportsIndex

from mnistgen._catalog import DEFAULT_MODEL
from mnistgen._checks import checked_threads, real_number, whole_number
from mnistgen._devices import Device, usable_cpus
from mnistgen._errors import InputError, shown
from mnistgen._generator import Generator
from mnistgen._keywords import suggesting_keywords
from mnistgen._product import ARITHMETICS, MULTIPLY_ADDS, SIDE, product

BATCHES = (1, 16, 256, 1024)  # digits; larger batches are split before they reach the network
LARGEST_BATCH = 1_000_000  # digits
SECONDS = 12.0  # in total, divided evenly among the measurements
MAX_SECONDS = 3600
ROUNDS = 3  # minimum number of measured calls; 1 if a call takes longer than its share of the time

Progress = Callable[[int, int, str], None]  # steps done, number of steps, current step


@dataclass(frozen=True)
class Sampling:
    """The speed of `Generator.sample(batch)`."""

    threads: int
    batch: int  # digits per call
    seconds: float  # per call, median
    multiply_adds: int  # per image

    @property
    def images_per_second(self) -> float:
        """Digits per second."""
        return self.batch / self.seconds

    @property
    def multiply_adds_per_second(self) -> float:
        """Multiply-adds of the network per second. Sampling latents and conversion to uint8 count as time only."""
        return self.images_per_second * self.multiply_adds


@dataclass(frozen=True)
class Report:
    """The measurements of a model and of the matrix product."""

    model: str
    device: str  # "cpu" or "cuda"
    usable_cpus: int
    multiply_adds: int  # per image
    products: dict[int, dict[str, float]]  # threads -> arithmetic -> multiply-adds/s of the product; empty on CUDA
    samplings: list[Sampling]

    def shares(self, sampling: Sampling) -> dict[str, float]:
        """Arithmetic -> multiply-adds/s of the model, divided by those of the product with the same threads."""
        rates = self.products.get(sampling.threads, {})
        return {arithmetic: sampling.multiply_adds_per_second / rate for arithmetic, rate in rates.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "model": self.model,
            "device": self.device,
            "usable_cpus": self.usable_cpus,
            "multiply_adds": self.multiply_adds,
            "products": [
                {"threads": threads, "side": SIDE, "multiply_adds_per_second": rates}
                for threads, rates in self.products.items()
            ],
            "samplings": [
                {
                    "threads": sampling.threads,
                    "batch": sampling.batch,
                    "seconds": sampling.seconds,
                    "images_per_second": sampling.images_per_second,
                    "multiply_adds_per_second": sampling.multiply_adds_per_second,
                    "share_of_product": self.shares(sampling),
                }
                for sampling in self.samplings
            ],
        }

    def __str__(self) -> str:
        """The report as a table."""
        return "\n".join(_lines(self))


def thread_counts(cpus: int) -> list[int]:
    """The powers of 2 below the number of usable CPUs, and that number."""
    return [2**power for power in range(cpus.bit_length()) if 2**power < cpus] + [cpus]


def whole_numbers(name: str, values: Sequence[SupportsIndex], checked: Callable[[SupportsIndex], int]) -> list[int]:
    """Distinct whole numbers, each validated by `checked`. Raises InputError for other values and for no values."""
    try:
        several = iter(values)
    except TypeError:  # not isinstance(values, Iterable), which accepts 0-dimensional arrays
        raise InputError(f"{name}: expected whole numbers, got {shown(values)}") from None
    numbers = dict.fromkeys(map(checked, several))
    if not numbers:
        raise InputError(f"{name}: expected at least one whole number, got none")
    return list(numbers)


@suggesting_keywords
def benchmark(
    model: str | PathLike[str] = DEFAULT_MODEL,
    *,
    device: Device = "auto",
    threads: Sequence[SupportsIndex] | None = None,
    batches: Sequence[SupportsIndex] | None = None,
    seconds: float = SECONDS,
    progress: Progress = lambda done, of, what: None,
) -> Report:
    """Measure a model's images/s for each batch size and number of threads, and compare it with a matrix product.

    `batches` defaults to 1, 16, 256 and 1024; `threads` to 1, 2, 4 and so on up to the number of usable CPUs, on CUDA
    to that number only. `seconds` is the approximate duration, at most 3,600. Slow models take longer, because every
    measurement makes at least two calls, the first to warm up. `progress` is called with the number of steps done, the
    total, and a description of the next step.

    The report prints as a table; `to_dict()` returns JSON types. Raises what Generator raises, and InputError for
    numbers outside their ranges.
    """
    sizes = whole_numbers(
        "batch", BATCHES if batches is None else batches, lambda size: whole_number("batch", size, 1, LARGEST_BATCH)
    )
    counts = None if threads is None else whole_numbers("threads", threads, checked_threads)
    real_number("seconds", seconds, 0, MAX_SECONDS, "seconds")
    opened = Generator(model, device=device, threads=1 if counts is None else counts[0])
    card, cpus, on_cpu = opened.card, usable_cpus(), opened.device == "cpu"
    counts = counts or (thread_counts(cpus) if on_cpu else [cpus])
    arithmetics = list(ARITHMETICS) if on_cpu else []
    of = len(counts) * (len(arithmetics) + len(sizes))
    done = itertools.count()
    products: dict[int, dict[str, float]] = {}
    samplings: list[Sampling] = []

    def times(call: Callable[[], object], what: str) -> list[float]:
        progress(next(done), of, what)
        return timed(call, seconds / of)

    for count in counts:  # one session at a time: idle threads of another would take CPU time
        where = f"{count} thread{'s' * (count > 1)}"
        for arithmetic in arithmetics:
            best = min(times(product(arithmetic, count), f"matrix product in {arithmetic}, {where}"))
            products.setdefault(count, {})[arithmetic] = MULTIPLY_ADDS / best
        generator = Generator(model, device=opened.device, threads=count)
        for size in sizes:
            call = functools.partial(generator.sample, size, seed=1)
            median = statistics.median(times(call, f"batches of {size:,}, {where}"))
            samplings.append(Sampling(count, size, median, card.multiply_adds))
    return Report(card.name, opened.device, cpus, card.multiply_adds, products, samplings)


def timed(
    call: Callable[[], object], seconds: float, rounds: int = ROUNDS, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Call a function for `seconds`, at least `rounds` times after a warm-up call; the duration of each call.

    If the warm-up call takes longer than `seconds`, the function is called once more only.
    """
    start = clock()
    call()
    rounds = rounds if clock() - start <= seconds else 1
    times: list[float] = []
    end = clock() + seconds
    while len(times) < rounds or clock() < end:
        start = clock()
        call()
        times.append(clock() - start)
    return times


def _lines(report: Report) -> Iterator[str]:
    cpus = f"{report.usable_cpus} usable CPU{'s' * (report.usable_cpus > 1)}"
    yield f"{report.model} on {report.device}, {cpus}, {report.multiply_adds:,} multiply-adds an image"
    yield ""
    arithmetics = list(next(iter(report.products.values()), {}))
    shares = [f"of {arithmetic}" for arithmetic in arithmetics]
    yield from _aligned(
        ["threads", "batch", "ms", "images/s", "G multiply-adds/s", *shares],
        [
            [
                str(one.threads),
                f"{one.batch:,}",
                f"{one.seconds * 1e3:,.2f}",
                f"{one.images_per_second:,.0f}",
                f"{one.multiply_adds_per_second / 1e9:,.1f}",
                *(f"{100 * share:.0f} %" for share in report.shares(one).values()),
            ]
            for one in report.samplings
        ],
    )
    yield ""
    if not report.products:
        yield f"The matrix product is measured on a CPU only, not on {report.device}."
        return
    yield f"Matrix product: two {SIDE}x{SIDE} matrices, multiplied by onnxruntime, G multiply-adds/s, fastest call."
    yield from _aligned(
        ["threads", *arithmetics],
        [[str(count), *(f"{rate / 1e9:,.1f}" for rate in rates.values())] for count, rates in report.products.items()],
    )
    yield ""
    yield "ms: median per call. Compare float32 models with the float32 product, and 8-bit models (digits) with int8."


def _aligned(heading: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Right-aligned columns."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    for row in (heading, *rows):
        yield "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
