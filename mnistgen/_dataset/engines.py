"""ENGINES: where the tasks of a data set run."""

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

RETRIES = 5  # of a task whose worker dies
AHEAD = 2  # tasks queued per worker, so that no worker waits

Work = Callable[[Task], Record]  # a Job


class Engine(Protocol):
    """Runs tasks on `workers` workers, of the cluster at `address` if it uses one; yields records in any order."""

    def __call__(
        self, job: Work, tasks: Iterable[Task], *, workers: int | None, address: str | None
    ) -> Iterator[Record]:
        """Raises OutputError if workers die repeatedly."""
        ...


def local(job: Work, tasks: Iterable[Task], *, workers: int | None, address: str | None) -> Iterator[Record]:
    """Run tasks in this process, by default the only worker, and in `workers - 1` new processes."""
    if workers in (None, 1):
        yield from map(job, tasks)
        return
    waiting = iter(tasks)
    others = (workers or 1) - 1
    with signals_kept_back():  # creating a pool starts multiprocessing's resource tracker
        pool = ProcessPoolExecutor(others, get_context("spawn"), initializer=_initialize_worker)
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
                "a worker died; it may have been killed or out of memory, or the script lacks "
                "`if __name__ == '__main__':` around this call; continue with resume=True"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _initialize_worker() -> None:
    """Ignore Ctrl-C, which the parent process handles, and exit when the parent process ends for any reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def on_ray(job: Work, tasks: Iterable[Task], *, workers: int | None, address: str | None) -> Iterator[Record]:
    """Run tasks on a Ray cluster, by default on all its CPUs; without an address, a cluster is started here.

    A task whose worker dies is repeated by another worker.
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
