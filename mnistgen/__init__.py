"""mnistgen: generate MNIST-like handwritten digits in milliseconds, without PyTorch.

    import mnistgen

    images = mnistgen.generate(n=16)  # uint8 (16, 28, 28), like MNIST itself

Public names are imported on first use, so `import mnistgen` is cheap. Type checkers read them in `__init__.pyi`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# The public names, by the module that defines them.
_PUBLIC = {
    "_api": ("generate", "generate_labelled", "imitate", "latents", "number"),
    "_attributes": ("Attributes", "measure"),
    "_encoder": ("Encoded",),
    "_errors": ("DependencyError", "DeviceError", "InputError", "MnistgenError", "ModelError", "OutputError"),
    "_generator": ("Generator",),
    "_loaded": ("Labelled",),
    "_model": ("DEFAULT_MODEL", "ModelCard", "card", "models"),
    "_pictures": ("grid", "save", "show"),
    "dataset.write": ("Summary", "write_dataset"),
    "photos": ("Reading", "read_digits"),
}
_MODULES = ("ray", "torch")  # they need optional packages
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = sorted((*_MODULE_OF, "__version__"))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__  # without the modules: looking at one imports its package
