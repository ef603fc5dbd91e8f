"""What can go wrong, as one small tree. Every message says what was expected, what came and what to do, in one line.

MnistgenError
├── InputError       a value that cannot be used: a count, a digit, latents, labels, a model's or an output's name
├── ModelError       a model that is damaged or foreign
├── DeviceError      the device asked for cannot be had
├── DependencyError  an optional package is not installed
└── OutputError      a file that cannot be written
"""

LONGEST = 1000  # characters of a message; of a longer one, which names a path of that length, the middle goes


class MnistgenError(Exception):
    """Base of all errors that mnistgen raises on purpose."""

    def __init__(self, message: str = "") -> None:
        line = _printable(message)
        half = LONGEST // 2
        super().__init__(line if len(line) <= LONGEST else f"{line[:half]}…{line[-half + 1 :]}")


class InputError(MnistgenError, ValueError):
    """A value that cannot be used."""


class ModelError(MnistgenError):
    """A model that is damaged or foreign."""


class DeviceError(MnistgenError):
    """The device asked for cannot be had."""


class DependencyError(MnistgenError):
    """An optional package that is not installed."""


class OutputError(MnistgenError):
    """A file that cannot be written."""


def plain(text: str, limit: int = 300) -> str:
    """Text of a file, for a terminal: one line, what cannot be printed escaped, cut off after `limit` characters."""
    line = _printable(text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def shown(value: object, limit: int = 100) -> str:
    """Any value as a message shows it: its `repr`, or its type where it has none, in one line and cut off."""
    try:
        return plain(repr(value), limit)
    except Exception:  # noqa: BLE001 - whatever a stranger's __repr__ raises; 10**5000 has none either
        return f"an object of type {type(value).__name__}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
