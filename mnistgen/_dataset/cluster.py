"""The Ray cluster that writes data sets."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mnistgen._errors import DependencyError, DeviceError


@contextmanager
def cluster(address: str | None, workers: int | None) -> Iterator[int]:
    """Connect to a Ray cluster, or start one with `workers` CPUs on this machine, and yield its number of CPUs."""
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        if address is None and "RAY_ADDRESS" not in os.environ:
            options |= {"num_cpus": workers, "include_dashboard": False}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address, **options)
            if callable(handler):  # Ray replaces it with one that prints a stack trace
                signal.signal(signal.SIGTERM, handler)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DeviceError(f"no Ray cluster at {address or 'this machine'}: {str(error).splitlines()[0]}") from None
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if ours:
            ray.shutdown()


def import_ray() -> Any:
    """Import ray, with usage statistics disabled unless the user enabled them. Raises DependencyError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError:
        raise DependencyError('ray: is not installed; pip install "mnistgen[ray]"') from None
