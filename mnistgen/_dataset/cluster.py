"""The Ray cluster that makes data sets."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mnistgen._errors import DependencyError, DeviceError


@contextmanager
def cluster(address: str | None, workers: int | None) -> Iterator[int]:
    """The CPUs of the cluster at an address, or of the one in use, or of one of so many workers on this machine."""
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        if address is None and "RAY_ADDRESS" not in os.environ:
            quiet |= {"num_cpus": workers, "include_dashboard": False}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address, **quiet)
            if callable(handler):  # Ray puts one of its own in its place, which ends with a dump
                signal.signal(signal.SIGTERM, handler)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DeviceError(f"no Ray cluster at {address or 'this machine'}: {str(error).splitlines()[0]}") from None
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if ours:
            ray.shutdown()


def import_ray() -> Any:
    """The ray package, without usage statistics unless the user set them. Raises DependencyError without it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError:
        raise DependencyError('ray: is not installed; pip install "mnistgen[ray]"') from None
