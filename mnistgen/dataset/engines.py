"""ENGINES: who does the tasks of a data set."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from mnistgen.dataset.plan import Task
from mnistgen.dataset.work import Job, Record
from mnistgen.errors import OutputError

AHEAD = 2  # tasks that a worker has before it, so that none waits for the next

Engine = Callable[[Job, Iterable[Task], int], Iterator[Record]]


def local(job: Job, tasks: Iterable[Task], workers: int) -> Iterator[Record]:
    """In this process where one worker is enough, else in as many fresh ones; records come in any order.

    Raises OutputError where a worker dies.
    """
    if workers == 1:
        yield from map(job, tasks)
        return
    waiting = iter(tasks)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            pending: set[Future[Record]] = {
                pool.submit(job, task) for task in itertools.islice(waiting, AHEAD * workers)
            }
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                pending |= {pool.submit(job, task) for task in itertools.islice(waiting, len(done))}
        except BrokenProcessPool:
            raise OutputError(
                "a worker died (was it killed, is memory full? a script that asks for several needs its call below "
                "`if __name__ == '__main__':`); go on with --resume (resume=True)"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


ENGINES: Mapping[str, Engine] = {"local": local}
