"""How fast a model is on this machine, beside how fast the machine multiplies: what to measure, measuring, a table."""

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

BATCHES = (1, 16, 256, 1024)  # digits; a network never sees more at once
LARGEST_BATCH = 1_000_000  # digits
SECONDS = 12.0  # for all that is measured, shared out evenly
LONGEST = 3600  # seconds
ROUNDS = 3  # calls to measure, at least; only one where a call takes longer than its share of the time

Progress = Callable[[int, int, str], None]  # how much is done, of how much, and what comes now


@dataclass(frozen=True)
class Sampling:
    """How fast `Generator.sample(batch)` is."""

    threads: int
    batch: int  # digits of one call
    seconds: float  # of one call, the median
    multiply_adds: int  # for one image

    @property
    def images_per_second(self) -> float:
        """Digits a second in batches of this size."""
        return self.batch / self.seconds

    @property
    def multiply_adds_per_second(self) -> float:
        """What the network alone does; drawing latents and turning ink into grey levels takes time but counts none."""
        return self.images_per_second * self.multiply_adds


@dataclass(frozen=True)
class Report:
    """What was measured of a model, and of the machine."""

    model: str
    device: str  # "cpu" or "cuda"
    usable_cpus: int
    multiply_adds: int  # for one image
    products: dict[int, dict[str, float]]  # threads -> arithmetic -> multiply-adds/s of the machine; none on CUDA
    samplings: list[Sampling]

    def shares(self, sampling: Sampling) -> dict[str, float]:
        """Arithmetic -> the model's multiply-adds/s over those of the machine's product with as many threads."""
        rates = self.products.get(sampling.threads, {})
        return {arithmetic: sampling.multiply_adds_per_second / rate for arithmetic, rate in rates.items()}

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON types."""
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


# --- what to measure -------------------------------------------------------------------------------------------------


def thread_counts(cpus: int) -> list[int]:
    """1, 2, 4 and so on below the CPUs that may be used, and all of them."""
    return [2**power for power in range(cpus.bit_length()) if 2**power < cpus] + [cpus]


def whole_numbers(name: str, values: Sequence[SupportsIndex], checked: Callable[[SupportsIndex], int]) -> list[int]:
    """Whole numbers, each once. Raises InputError for others, and for none at all."""
    try:
        several = iter(values)
    except TypeError:  # arrays of no dimensions too, which are Iterable
        raise InputError(f"{name}: expected whole numbers, got {shown(values)}") from None
    numbers = dict.fromkeys(map(checked, several))
    if not numbers:
        raise InputError(f"{name}: expected at least one whole number, got none")
    return list(numbers)


# --- measuring -------------------------------------------------------------------------------------------------------


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
    """Measure images/s of a model for each batch size and number of threads, beside the machine's matrix product.

    `batches` are 1, 16, 256 and 1024 by default; `threads` 1, 2, 4 and so on up to the usable CPUs, on CUDA, where they
    hardly matter, all of them. `seconds` is the approximate duration; slow models take longer, since everything is
    called at least twice, once to warm up. `progress` is called with the steps done, their number and the next step.

    The report prints as a table; `to_dict()` gives JSON types. Raises what Generator raises, and InputError for numbers
    outside their ranges.
    """
    sizes = whole_numbers(
        "batch", BATCHES if batches is None else batches, lambda size: whole_number("batch", size, 1, LARGEST_BATCH)
    )
    counts = None if threads is None else whole_numbers("threads", threads, checked_threads)
    real_number("seconds", seconds, 0, LONGEST, "seconds")
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

    for count in counts:  # one session after the other: threads of one that waits would take time from the next
        where = f"{count} thread{'s' * (count > 1)}"
        for arithmetic in arithmetics:
            best = min(times(product(arithmetic, count), f"the machine in {arithmetic}, {where}"))
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
    """Seconds of each call, after one to warm up: for so many seconds, and at least so many rounds.

    Where already the first takes longer than that, one round is enough.
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


# --- for people ------------------------------------------------------------------------------------------------------


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
        yield f"How fast the machine multiplies is measured on a CPU only, not on {report.device}."
        return
    yield f"The machine: the product of two {SIDE}x{SIDE} matrices by onnxruntime, G multiply-adds/s, best of a few."
    yield from _aligned(
        ["threads", *arithmetics],
        [[str(count), *(f"{rate / 1e9:,.1f}" for rate in rates.values())] for count, rates in report.products.items()],
    )
    yield ""
    yield "ms: of a call, the median. float32 is what limits a model in float32, int8 one in 8 bits, such as digits."


def _aligned(heading: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Columns of one width each, flush right."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    for row in (heading, *rows):
        yield "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
