"""The command line, built on the public API."""

from importlib import import_module

from mnistgen._cli.app import app, main

__all__ = ["app", "main"]

# Each module adds its commands; --help lists them in this order.
for module in ("drawing", "imitate", "dataset", "reproduce", "cards", "machine"):
    import_module(f"mnistgen._cli.{module}")
