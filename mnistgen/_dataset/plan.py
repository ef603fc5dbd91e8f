"""What a data set is, and who makes which part of it: pure functions of the arguments.

Image i of a split is digit i of the seed, for the test split counted from TEST_START on, so that neither depends on how
many there are of the other. Tasks are cut at multiples of `task_size`, counted from the split's beginning whatever the
slice: the same parts, whoever makes them and in which order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, SupportsIndex

from mnistgen import __version__
from mnistgen._card import ModelCard
from mnistgen._checks import check_conditional, checked_digits, one_of, whole_number
from mnistgen._errors import InputError
from mnistgen._latents import SEEDS

# Images that a network sees at once are cut at multiples of this, so that every bit of their arithmetic is the same
# whatever the slice that they are drawn for.
BLOCK = 1000
TEST_START = 4 * 10**18  # of the seed's 2**63 digits: those from here on are test digits
LIMIT = 2 * 10**18  # images of a split, from its beginning

# How often each class comes in MNIST's 60,000 training digits (Y. LeCun, C. Cortes, C. J. C. Burges).
MNIST_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
BALANCES: Mapping[str, Sequence[int]] = {"uniform": (1,) * 10, "mnist": MNIST_COUNTS}

SPLITS: Mapping[str, int] = {"train": 0, "test": TEST_START}  # where each begins in the seed


@dataclass(frozen=True)
class Task:
    """A part of a split that one worker makes at once."""

    number: int  # counted over the whole data set, from 0
    split: str
    part: int  # counted from the split's beginning: what shards are named after
    first: int  # image of the split
    count: int


class Piece(NamedTuple):
    """Bytes that a task makes: a whole file, or, from an offset on, a part of one that several tasks write."""

    name: str  # of the file, below the data set's folder
    content: bytes
    offset: int | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that the bytes of a data set depend on."""

    format: str
    n: int  # training images
    test: int  # test images
    start: int  # the first training image
    digits: tuple[int, ...]
    balance: str
    seed: int
    model: str
    model_sha256: str
    latent_dim: int
    task_size: int  # images a task, and a shard where there are shards
    version: str = __version__

    @property
    def weights(self) -> tuple[int, ...]:
        """How often each class comes, relative to the others."""
        return tuple(count if digit in self.digits else 0 for digit, count in enumerate(BALANCES[self.balance]))

    def ranges(self) -> dict[str, range]:
        """The images of each split, splits without any omitted."""
        both = {"train": range(self.start, self.start + self.n), "test": range(self.test)}
        return {split: images for split, images in both.items() if images}

    def parts(self) -> dict[str, range]:
        """The parts of each split that the plan touches."""
        return {
            split: range(images.start // self.task_size, -(-images.stop // self.task_size))
            for split, images in self.ranges().items()
        }

    def task(self, number: int) -> Task:
        """The task of this number, of as many as there are parts."""
        earlier = 0
        for split, parts in self.parts().items():
            if number < earlier + len(parts):
                part, images = parts[number - earlier], self.ranges()[split]
                first = max(images.start, part * self.task_size)
                return Task(number, split, part, first, min(images.stop, (part + 1) * self.task_size) - first)
            earlier += len(parts)
        raise IndexError(number)

    def tasks(self, first: int = 0) -> Iterator[Task]:
        """The tasks in the order of their numbers, from `first` on."""
        return map(self.task, range(first, sum(map(len, self.parts().values()))))

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON types."""
        return asdict(self) | {"digits": list(self.digits)}


def default_test(train: int) -> int:
    """MNIST's share of test images, a sixth, at most its 10,000."""
    return min(10_000, max(1, train // 6)) if train else 10_000


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
) -> Plan:
    """The checked plan. Raises InputError for arguments out of their ranges, and for unconditional models."""
    check_conditional(card, "labelled data sets")
    first = whole_number("start", start, 0, LIMIT)
    train_count = whole_number("n", n, 0, LIMIT - first)
    test_count = default_test(train_count) if test is None else whole_number("test", test, 0, LIMIT)
    if not train_count + test_count:
        raise InputError("n: expected at least one image, for training or for the test, got none of both")
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
    )
