"""Progress of a data set: finished tasks are recorded, counted, reported, and listed for dataset.json."""

from collections.abc import Callable, Iterator
from typing import IO

from mnistgen._dataset.journal import Journal, Record
from mnistgen._dataset.manifest import file_line
from mnistgen._dataset.plan import Plan
from mnistgen._dataset.store import Store

LISTED = 12  # files whose SHA-256 is in the summary; dataset.json has all

Report = Callable[[int, int], None]  # images done, total


class Progress:
    """Records, counts and lists what is done; the journal is flushed if an error ends the block."""

    def __init__(self, plan: Plan, store: Store, report: Report, lines: IO[bytes]) -> None:
        self.counts = {split: [0] * 10 for split in plan.ranges()}
        self.files = 0
        self.first: dict[str, str] = {}
        self._plan = plan
        self._report = report
        self._done, self._total = 0, plan.n + plan.test
        self._lines = lines  # of dataset.json
        self._journal = Journal(plan, store)

    def __enter__(self) -> "Progress":
        for record in self._journal.replay():
            self._count(record)
            self._list(record)
        self._report(self._done, self._total)
        return self

    def __exit__(self, error: type[BaseException] | None, *details: object) -> None:
        if error:  # otherwise the data set is published
            self._journal.flush()

    @property
    def next(self) -> int:
        """The number of the first task that is not done."""
        return self._journal.next

    def add(self, record: Record) -> None:
        """Add the record of a finished task, and report it."""
        self._count(record)
        for ready in self._journal.add(record):
            self._list(ready)
        self._report(self._done, self._total)

    def list_file(self, name: str, sha256: str) -> None:
        """Add a file to the list, in the order of dataset.json."""
        self._lines.write(b",\n" * bool(self.files) + file_line(name, sha256))
        if self.files < LISTED:
            self.first[name] = sha256
        self.files += 1

    def listing(self) -> Iterator[bytes]:
        """Yield the lines of dataset.json for all files."""
        self._lines.seek(0)
        yield from self._lines

    def _count(self, record: Record) -> None:
        split = self._plan.task(record.number).split
        self.counts[split] = [one + more for one, more in zip(self.counts[split], record.counts, strict=True)]
        self._done += sum(record.counts)

    def _list(self, record: Record) -> None:
        for name, offset, _, sha256 in record.written:
            if offset is None:
                self.list_file(name, sha256)
