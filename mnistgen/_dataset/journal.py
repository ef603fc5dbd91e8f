"""Journal: which tasks of an unfinished data set are done, in the order of their numbers, with what they wrote."""

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import NamedTuple

from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.plan import Piece, Plan
from mnistgen._dataset.store import NOTES, PROGRESS, Store

READERS = 32  # at once: object stores take their time, but serve many
READ_AHEAD = 256  # files of records


class Written(NamedTuple):
    """A piece without its bytes."""

    name: str
    offset: int | None
    size: int
    sha256: str

    @classmethod
    def of(cls, piece: Piece) -> "Written":
        """What is kept of a piece."""
        return cls(piece.name, piece.offset, len(piece.content), sha256(piece.content).hexdigest())


class Record(NamedTuple):
    """What a task did."""

    number: int
    counts: list[int]  # (10,): how many of each digit
    written: list[Written]


class Journal:
    """Records, kept beside the data in files of some lines each; a file is named after its first record."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.next = 0  # the first task that is not done
        self._plan = plan
        self._store = store
        self._waiting: dict[int, Record] = {}  # for those before them
        self._lines: list[bytes] = []  # that no file holds yet
        self._kept = time.monotonic()

    def replay(self) -> Iterator[Record]:
        """The records of earlier calls, up to the first whose bytes are not there any more; the rest is forgotten."""
        names = [f"{PROGRESS}/{name}" for name in self._store.names(PROGRESS) if NOTES.fullmatch(name)]
        names = [name for name in names if name.endswith(".jsonl")]
        good = 0
        for records in self._verified(names):
            if not records or records[0].number != self.next:
                break
            good += 1
            self.next += len(records)
            yield from records
        for name in names[good:]:
            self._store.remove(name)

    def add(self, record: Record) -> list[Record]:
        """Keep a record; the records that are now in order, after all before them."""
        self._waiting[record.number] = record
        ready = []
        while (found := self._waiting.pop(self.next, None)) is not None:
            ready.append(found)
            self._lines.append(json.dumps(found).encode() + b"\n")
            self.next += 1
        if time.monotonic() - self._kept >= self._store.flush_seconds:
            self.flush()
        return ready

    def flush(self) -> None:
        """Write what no file holds yet."""
        if self._lines:
            name = f"{PROGRESS}/{self.next - len(self._lines):012}.jsonl"
            self._store.write(Piece(name, b"".join(self._lines)))
            self._lines = []
        self._kept = time.monotonic()

    def _verified(self, names: Iterable[str]) -> Iterator[list[Record]]:
        """The records of each file, none for one that is damaged or speaks of bytes that are not there."""
        waiting = iter(names)
        with ThreadPoolExecutor(READERS if self._store.flush_seconds else 1) as pool:
            while some := list(itertools.islice(waiting, READ_AHEAD)):
                yield from pool.map(self._read, some)

    def _read(self, name: str) -> list[Record]:
        try:
            lines = (self._store.read(name) or b"").splitlines()
            fields = map(json.loads, lines)
            records = [Record(number, counts, [Written(*one) for one in written]) for number, counts, written in fields]
            return records if all(map(self._is_there, records)) else []
        except (ValueError, TypeError, IndexError, RecursionError, OSError):
            return []

    def _is_there(self, record: Record) -> bool:
        """Whether a record is one of this plan, and the bytes that it speaks of are there."""
        task = self._plan.task(record.number)
        known = FORMATS[self._plan.format].names
        if sum(record.counts) != task.count or len(record.counts) != 10 or min(record.counts) < 0 or not record.written:
            return False
        for name, offset, size, expected in record.written:
            most = size if offset is not None else size + 1  # a file of its own may have grown
            content = self._store.read(name, offset or 0, most) if known.fullmatch(name) else None
            if content is None or len(content) != size or sha256(content).hexdigest() != expected:
                return False
        return True
