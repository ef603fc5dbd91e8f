"""mnistgen: generate MNIST-like handwritten digits in milliseconds, without PyTorch.

    import mnistgen

    images = mnistgen.generate(n=16)  # uint8 (16, 28, 28), like MNIST itself

Public names are imported on first use, so `import mnistgen` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnistgen import ray as ray
    from mnistgen import torch as torch
    from mnistgen._api import generate, generate_labelled, imitate, latents, number
    from mnistgen._attributes import Attributes, measure
    from mnistgen._encoder import Encoded
    from mnistgen._errors import DependencyError, DeviceError, InputError, MnistgenError, ModelError, OutputError
    from mnistgen._generator import Generator
    from mnistgen._loaded import Labelled
    from mnistgen._model import DEFAULT_MODEL, ModelCard, card, models
    from mnistgen._pictures import grid, save, show
    from mnistgen.dataset.write import Summary, write_dataset
    from mnistgen.photos import read_digits

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
    "card",
    "generate",
    "generate_labelled",
    "grid",
    "imitate",
    "latents",
    "measure",
    "models",
    "number",
    "read_digits",
    "save",
    "show",
    "write_dataset",
]

_ERRORS = ("DependencyError", "DeviceError", "InputError", "MnistgenError", "ModelError", "OutputError")
_MODULE_OF = {
    **dict.fromkeys(("generate", "generate_labelled", "imitate", "latents", "number"), "_api"),
    **dict.fromkeys(("Attributes", "measure"), "_attributes"),
    **dict.fromkeys(_ERRORS, "_errors"),
    **dict.fromkeys(("DEFAULT_MODEL", "ModelCard", "card", "models"), "_model"),
    **dict.fromkeys(("grid", "save", "show"), "_pictures"),
    **dict.fromkeys(("Summary", "write_dataset"), "dataset.write"),
    "Encoded": "_encoder",
    "Generator": "_generator",
    "Labelled": "_loaded",
    "read_digits": "photos",
}
_MODULES = ("ray", "torch")  # they need optional packages


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
