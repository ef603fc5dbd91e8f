"""Journal: the finished tasks of an unfinished data set, in order, and the files that they wrote."""

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import NamedTuple

from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.plan import Piece, Plan
from mnistgen._dataset.store import PROGRESS, PROGRESS_FILES, Store

READERS = 32  # threads: object stores are slow, but serve many requests at once
READ_AHEAD = 256  # journal files


class Written(NamedTuple):
    """The metadata of a piece."""

    name: str
    offset: int | None
    size: int
    sha256: str

    @classmethod
    def of(cls, piece: Piece) -> "Written":
        """The metadata of `piece`."""
        return cls(piece.name, piece.offset, len(piece.content), sha256(piece.content).hexdigest())


class Record(NamedTuple):
    """The result of a task."""

    number: int
    counts: list[int]  # (10,): number of each digit
    written: list[Written]


class Journal:
    """Records of finished tasks, stored as JSON lines; each file is named after its first record."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self.next = 0  # number of the first task that is not done
        self._plan = plan
        self._store = store
        self._waiting: dict[int, Record] = {}  # records that came before their predecessors
        self._lines: list[bytes] = []  # not yet written
        self._flushed = time.monotonic()

    def replay(self) -> Iterator[Record]:
        """Yield the records of earlier calls, up to the first whose bytes are missing; later ones are removed."""
        files = filter(PROGRESS_FILES.fullmatch, self._store.names(PROGRESS))
        names = [f"{PROGRESS}/{name}" for name in files if name.endswith(".jsonl")]
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
        """Add a record; return the records that are now next in order."""
        self._waiting[record.number] = record
        ready = []
        while (found := self._waiting.pop(self.next, None)) is not None:
            ready.append(found)
            self._lines.append(json.dumps(found).encode() + b"\n")
            self.next += 1
        if time.monotonic() - self._flushed >= self._store.flush_seconds:
            self.flush()
        return ready

    def flush(self) -> None:
        """Write the records that are not yet written."""
        if self._lines:
            name = f"{PROGRESS}/{self.next - len(self._lines):012}.jsonl"
            self._store.write(Piece(name, b"".join(self._lines)))
            self._lines = []
        self._flushed = time.monotonic()

    def _verified(self, names: Iterable[str]) -> Iterator[list[Record]]:
        """Yield the records of each file; none for a file that is damaged or whose records are not valid."""
        waiting = iter(names)
        with ThreadPoolExecutor(READERS if self._store.flush_seconds else 1) as pool:
            while some := list(itertools.islice(waiting, READ_AHEAD)):
                yield from pool.map(self._read, some)

    def _read(self, name: str) -> list[Record]:
        try:
            lines = (self._store.read(name) or b"").splitlines()
            fields = map(json.loads, lines)
            records = [Record(number, counts, [Written(*one) for one in written]) for number, counts, written in fields]
            return records if all(map(self._is_valid, records)) else []
        except (ValueError, TypeError, IndexError, RecursionError, OSError):
            return []

    def _is_valid(self, record: Record) -> bool:
        """Whether a record fits the plan and its bytes are in the store."""
        task = self._plan.task(record.number)
        known = FORMATS[self._plan.format].names
        if sum(record.counts) != task.count or len(record.counts) != 10 or min(record.counts) < 0 or not record.written:
            return False
        for name, offset, size, expected in record.written:
            most = size if offset is not None else size + 1  # read one more byte, to detect a file that is too long
            content = self._store.read(name, offset or 0, most) if known.fullmatch(name) else None
            if content is None or len(content) != size or sha256(content).hexdigest() != expected:
                return False
        return True
