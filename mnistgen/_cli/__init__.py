"""The command line, written on the public API: arguments in, one line or one file out."""

from importlib import import_module

from mnistgen._cli.app import app, main

__all__ = ["app", "main"]

# Each adds its commands, which help lists in this order.
for room in ("drawing", "dataset", "reproduce", "cards", "machine"):
    import_module(f"mnistgen._cli.{room}")
