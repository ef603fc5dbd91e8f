"""ENGINES: who does the tasks of a data set."""

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Protocol

from mnistgen._dataset.journal import Record
from mnistgen._dataset.plan import Task
from mnistgen._errors import OutputError
from mnistgen._interruption import signals_kept_back

RETRIES = 5  # of a task whose worker died
AHEAD = 2  # tasks that a worker has before it, so that none waits for the next

Work = Callable[[Task], Record]  # a Job, or what stands for one


class Engine(Protocol):
    """Does tasks with so many workers, at an address where it has one; records come in any order."""

    def __call__(
        self, job: Work, tasks: Iterable[Task], *, workers: int | None, address: str | None
    ) -> Iterator[Record]:
        """Raises OutputError where workers die too often."""
        ...


def local(job: Work, tasks: Iterable[Task], *, workers: int | None, address: str | None) -> Iterator[Record]:
    """In this process, which is the only worker by default, and in as many fresh ones as make up the number."""
    if workers in (None, 1):
        yield from map(job, tasks)
        return
    waiting = iter(tasks)
    others = (workers or 1) - 1
    with signals_kept_back():  # with its first lock a pool starts multiprocessing's resource tracker
        pool = ProcessPoolExecutor(others, get_context("spawn"), initializer=_live_with_parent)
    with pool:
        try:
            with signals_kept_back():
                pending: set[Future[Record]] = {
                    pool.submit(job, task) for task in itertools.islice(waiting, AHEAD * others)
                }
            while pending:
                if (own := next(waiting, None)) is not None:
                    yield job(own)
                done, pending = wait(pending, timeout=None if own is None else 0, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                pending |= {pool.submit(job, task) for task in itertools.islice(waiting, len(done))}
        except BrokenProcessPool:
            raise OutputError(
                "a worker died (was it killed, is memory full? a script that asks for several needs its call below "
                "`if __name__ == '__main__':`); continue with resume=True"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _live_with_parent() -> None:
    """Let a worker end with the process that started it, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def on_ray(job: Work, tasks: Iterable[Task], *, workers: int | None, address: str | None) -> Iterator[Record]:
    """On a Ray cluster, by default on every CPU of it; without an address, on one that is started for it here.

    A task whose worker dies is done again by another.
    """
    from mnistgen._dataset.cluster import cluster, import_ray

    ray = import_ray()
    waiting = iter(tasks)
    with cluster(address, workers) as cpus:
        ahead = AHEAD * (workers or cpus)
        do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)
        shared = ray.put(job)
        pending = [do.remote(shared, task) for task in itertools.islice(waiting, ahead)]
        try:
            while pending:
                done, pending = ray.wait(pending)
                yield from ray.get(done)
                pending += [do.remote(shared, task) for task in itertools.islice(waiting, len(done))]
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise OutputError(
                f"a task failed {RETRIES + 1} times: {str(error).splitlines()[0]}; continue with resume=True"
            ) from None
        finally:
            for task in pending:
                ray.cancel(task, force=True)


def _do(job: Work, task: Task) -> Record:
    return job(task)


ENGINES: Mapping[str, Engine] = {"local": local, "ray": on_ray}
