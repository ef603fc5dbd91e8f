"""The exception tree. Every message says in one line what was expected, what was given, and how to fix it.

MnistgenError
├── InputError       an invalid value: a count, a digit, latents, labels, the name of a model or of an output file
├── ModelError       a damaged or invalid model
├── DeviceError      the requested device is unavailable
├── DependencyError  an optional package is not installed
└── OutputError      a file cannot be written
"""

LONGEST_MESSAGE = 1000  # characters; longer ones, which name long paths, are cut in the middle


class MnistgenError(Exception):
    """Base of all errors that mnistgen raises on purpose."""

    def __init__(self, message: str = "") -> None:
        line = _printable(message)
        half = LONGEST_MESSAGE // 2
        super().__init__(line if len(line) <= LONGEST_MESSAGE else f"{line[:half]}…{line[-half + 1 :]}")


class InputError(MnistgenError, ValueError):
    """An invalid value: wrong type, shape, range or name. Also a ValueError."""


class ModelError(MnistgenError):
    """A damaged or invalid model."""


class DeviceError(MnistgenError):
    """The requested device is unavailable."""


class DependencyError(MnistgenError):
    """An optional package is not installed."""


class OutputError(MnistgenError):
    """A file cannot be written."""


def plain(text: str, limit: int = 300) -> str:
    """Text as one printable line: control characters escaped, cut off after `limit` characters."""
    line = _printable(text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def shown(value: object, limit: int = 100) -> str:
    """A value for a message: its `repr`, as one printable line of limited length."""
    return plain(repr(value), limit)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
