"""mnistgen: an endless MNIST in a small wheel.

    import mnistgen

    images = mnistgen.generate(n=16)  # uint8 (16, 28, 28), like MNIST itself

Names are loaded at their first use: `import mnistgen` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnistgen.api import generate, write
    from mnistgen.card import ModelCard
    from mnistgen.catalog import models
    from mnistgen.dataset.build import write_dataset
    from mnistgen.errors import DeviceError, InputError, MnistgenError, ModelError, OutputError
    from mnistgen.generator import Generator

__version__ = "0.1.0"

__all__ = [
    "DeviceError",
    "Generator",
    "InputError",
    "MnistgenError",
    "ModelCard",
    "ModelError",
    "OutputError",
    "__version__",
    "generate",
    "models",
    "write",
    "write_dataset",
]

_HOMES = {
    **dict.fromkeys(("generate", "write"), "api"),
    "Generator": "generator",
    "ModelCard": "card",
    "models": "catalog",
    "write_dataset": "dataset.build",
    **dict.fromkeys(("DeviceError", "InputError", "MnistgenError", "ModelError", "OutputError"), "errors"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
