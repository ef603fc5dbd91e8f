"""Plan: what determines the bytes of a data set, and how it is split into tasks. Pure functions.

Image i of a split is digit i of the seed; the test split starts at TEST_START, so no split depends on the size of the
other. Tasks begin at multiples of `task_size`, counted from the beginning of the split even for a slice, so they are
the same in any process and in any order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, SupportsIndex

from numpy.typing import ArrayLike

from mnistgen import __version__
from mnistgen._card import ModelCard
from mnistgen._checks import (
    check_conditional,
    checked_digits,
    checked_span,
    checked_style,
    one_of,
    real_number,
    whole_number,
)
from mnistgen._editing import Span, checked_attributes
from mnistgen._errors import InputError
from mnistgen._latents import SEEDS

# Images per call of the network. Calls begin at multiples of this, so an image has the same bits in any slice.
BLOCK = 1000
TEST_START = 4 * 10**18  # index of the first test digit, of the 2**63 digits of a seed
LIMIT = 2 * 10**18  # maximum number of images of a split

# Class frequencies of MNIST's 60,000 training digits (Y. LeCun, C. Cortes, C. J. C. Burges).
MNIST_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
BALANCES: Mapping[str, Sequence[int]] = {"uniform": (1,) * 10, "mnist": MNIST_COUNTS}

SPLITS: Mapping[str, int] = {"train": 0, "test": TEST_START}  # index of the first digit in the seed


@dataclass(frozen=True)
class Task:
    """A part of a split that one worker generates and writes."""

    number: int  # in the whole data set, from 0
    split: str
    part: int  # in the split, from 0; shards are named after it
    first: int  # index of its first image in the split
    count: int


class Piece(NamedTuple):
    """Bytes that a task writes: a whole file, or, at an offset, a part of a file that several tasks write."""

    name: str  # path of the file, relative to the data set's folder
    content: bytes
    offset: int | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that determines the bytes of a data set."""

    format: str
    n: int  # training images
    test: int  # test images
    start: int  # index of the first training image
    digits: tuple[int, ...]
    balance: str
    seed: int
    model: str
    model_sha256: str
    latent_dim: int
    task_size: int  # images per task, and per shard
    attributes: Mapping[str, Span] = field(default_factory=dict)  # ranges to draw from
    style: tuple[float, ...] | None = None  # latents (D,) of one handwriting; None: those of each digit
    spread: float = 0.0  # standard deviation of the latents around the style
    version: str = __version__

    @property
    def weights(self) -> tuple[int, ...]:
        """Relative frequency of each class."""
        return tuple(count if digit in self.digits else 0 for digit, count in enumerate(BALANCES[self.balance]))

    def ranges(self) -> dict[str, range]:
        """The image indices of each split that is not empty."""
        both = {"train": range(self.start, self.start + self.n), "test": range(self.test)}
        return {split: images for split, images in both.items() if images}

    def parts(self) -> dict[str, range]:
        """The parts of each split that contain images of the plan."""
        return {
            split: range(images.start // self.task_size, -(-images.stop // self.task_size))
            for split, images in self.ranges().items()
        }

    def task(self, number: int) -> Task:
        """The task of this number. Raises IndexError."""
        earlier = 0
        for split, parts in self.parts().items():
            if number < earlier + len(parts):
                part, images = parts[number - earlier], self.ranges()[split]
                first = max(images.start, part * self.task_size)
                return Task(number, split, part, first, min(images.stop, (part + 1) * self.task_size) - first)
            earlier += len(parts)
        raise IndexError(number)

    def tasks(self, first: int = 0) -> Iterator[Task]:
        """The tasks from number `first` on, in order."""
        return map(self.task, range(first, sum(map(len, self.parts().values()))))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        return asdict(self) | {"digits": list(self.digits)}


def plan_of(
    card: ModelCard,
    format: str,  # noqa: A002 - what users call it
    task_size: int,
    *,
    n: SupportsIndex,
    test: SupportsIndex | None,
    start: SupportsIndex,
    digits: SupportsIndex | Sequence[SupportsIndex],
    balance: str,
    seed: int,
    attributes: Mapping[str, Span | float | None] | None = None,
    style: ArrayLike | None = None,
    spread: float = 0.0,
) -> Plan:
    """Check arguments and return the plan. Raises InputError for invalid arguments and for unconditional models."""
    check_conditional(card, "labelled data sets")
    first = whole_number("start", start, 0, LIMIT)
    train_count = whole_number("n", n, 0, LIMIT - first)
    if test is None:  # as in MNIST, a sixth of the training split, at most 10,000
        test = min(10_000, max(1, train_count // 6)) if train_count else 10_000
    test_count = whole_number("test", test, 0, LIMIT)
    if not train_count + test_count:
        raise InputError("n: expected at least one training or test image, got none")
    spans = {name: checked_span(name, value) for name, value in (attributes or {}).items()}
    wanted = checked_attributes(card, 0, spans)
    distance = real_number("spread", spread, 0, 1)
    return Plan(
        format=format,
        n=train_count,
        test=test_count,
        start=first,
        digits=tuple(sorted(set(checked_digits(digits, "digits")))),
        balance=one_of("balance", balance, BALANCES),
        seed=whole_number("seed", seed, 0, SEEDS - 1),
        model=card.name,
        model_sha256=card.sha256,
        latent_dim=card.latent_dim,
        task_size=task_size,
        attributes={name: (value.low, value.high) for name, value in wanted.items()},
        style=None if style is None else tuple(checked_style(card, style).tolist()),
        spread=0.0 if style is None else distance,
    )
