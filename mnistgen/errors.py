"""What can go wrong, as one small tree. Every message says what was expected, what came and what to do.

MnistgenError
├── InputError     a value that cannot be used: a count, a digit, latents, labels, an output's name
├── ModelError     a model that is unknown, damaged or foreign
├── DeviceError    the device asked for cannot be had
└── OutputError    a file that cannot be written
"""


class MnistgenError(Exception):
    """Base of all errors that mnistgen raises on purpose."""


class InputError(MnistgenError, ValueError):
    """A value that cannot be used."""


class ModelError(MnistgenError):
    """A model that is unknown, damaged or foreign."""


class DeviceError(MnistgenError):
    """The device asked for cannot be had."""


class OutputError(MnistgenError):
    """A file that cannot be written."""
