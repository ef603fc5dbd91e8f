"""mnistgen: generate MNIST-like handwritten digits in milliseconds, without PyTorch.

    import mnistgen

    images = mnistgen.generate(n=16)  # uint8 (16, 28, 28), like MNIST itself

Public names are imported on first use, so `import mnistgen` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnistgen import drawings as drawings
    from mnistgen import ray as ray
    from mnistgen import testing as testing
    from mnistgen import torch as torch
    from mnistgen._api import generate, imitate, latents, number
    from mnistgen._attributes import Attributes, measure
    from mnistgen._bench import benchmark
    from mnistgen._card import ModelCard
    from mnistgen._catalog import DEFAULT_MODEL, card, models
    from mnistgen._dataset.build import Summary, write_dataset
    from mnistgen._errors import DependencyError, DeviceError, InputError, MnistgenError, ModelError, OutputError
    from mnistgen._generator import Encoded, Generator, Labelled
    from mnistgen._images import grid
    from mnistgen._output import save, show
    from mnistgen._reading import read_digits
    from mnistgen._reproduce import reproduce
    from mnistgen._trial import doctor

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_MODEL",
    "Attributes",
    "DependencyError",
    "DeviceError",
    "Encoded",
    "Generator",
    "InputError",
    "Labelled",
    "MnistgenError",
    "ModelCard",
    "ModelError",
    "OutputError",
    "Summary",
    "__version__",
    "benchmark",
    "card",
    "doctor",
    "generate",
    "grid",
    "imitate",
    "latents",
    "measure",
    "models",
    "number",
    "read_digits",
    "reproduce",
    "save",
    "show",
    "write_dataset",
]

_ERRORS = ("DependencyError", "DeviceError", "InputError", "MnistgenError", "ModelError", "OutputError")
_MODULE_OF = {
    **dict.fromkeys(("generate", "imitate", "latents", "number"), "_api"),
    **dict.fromkeys(("Attributes", "measure"), "_attributes"),
    **dict.fromkeys(("DEFAULT_MODEL", "card", "models"), "_catalog"),
    **dict.fromkeys(("Encoded", "Generator", "Labelled"), "_generator"),
    **dict.fromkeys(_ERRORS, "_errors"),
    **dict.fromkeys(("Summary", "write_dataset"), "_dataset.build"),
    **dict.fromkeys(("save", "show"), "_output"),
    "ModelCard": "_card",
    "benchmark": "_bench",
    "doctor": "_trial",
    "grid": "_images",
    "read_digits": "_reading",
    "reproduce": "_reproduce",
}
_MODULES = ("drawings", "ray", "testing", "torch")  # the last three need optional packages


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
