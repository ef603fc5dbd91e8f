"""Diagnosis of the installation: versions, devices, CPUs, models and telemetry, with a fix for each problem.

A machine without CUDA is not a problem. Nothing is changed and nothing is sent.
"""

import ctypes
import importlib
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from mnistgen import __version__
from mnistgen._catalog import DEFAULT_MODEL, find, names
from mnistgen._devices import Device, usable_cpus
from mnistgen._errors import DeviceError, MnistgenError, ModelError, plain
from mnistgen._installation import CONFLICT, KEEP_ONE, cuda_fix, import_fix, installation_conflict, version

OK: Literal["ok"] = "ok"
NOTE: Literal["note"] = "note"  # information; everything works
WRONG: Literal["wrong"] = "wrong"

REINSTALL = "Reinstall it: pip install --force-reinstall --no-deps mnistgen"
PACKAGES = {"numpy": "numpy", "pillow": "PIL", "rich": "rich", "typer": "typer"}  # distribution -> module
LONGEST = 1000  # characters of a line
TELEMETRY = "ORT_DISABLE_TELEMETRY"

# Shared libraries that onnxruntime's CUDA provider loads, without the suffix of the major version.
CUDA_LIBRARIES = {"CUDA libraries": ("cudart", "cublas"), "cuDNN": ("cudnn",)}
CUDNN_MAJOR = "9"


@dataclass(frozen=True)
class Finding:
    """One row: what was checked, its status, what was found and, if there is a problem, the fix."""

    name: str
    status: Literal["ok", "note", "wrong"]
    found: str
    fix: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON types."""
        return asdict(self)


class Findings(list[Finding]):
    """A list of findings that prints as a table."""

    @property
    def wrong(self) -> bool:
        """Whether any finding has the status "wrong"."""
        return any(finding.status == WRONG for finding in self)

    def __str__(self) -> str:
        """A table with each fix below its finding, and the number of problems."""
        name_width = max((len(finding.name) for finding in self), default=0)
        lines = []
        for finding in self:
            lines.append(f"{finding.name:{name_width}}  {finding.status:5}  {plain(finding.found, LONGEST)}")
            if finding.fix:
                lines.append(f"{'':{name_width}}  {'':5}  -> {finding.fix}")
        wrong = sum(finding.status == WRONG for finding in self)
        return "\n".join([*lines, "", f"{wrong or 'nothing'} wrong"])


def examine() -> Findings:
    """Run all CHECKS in order. A check that raises becomes a finding too."""
    findings = Findings()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the findings say the same
        for name, check in CHECKS.items():
            try:
                findings.extend(check())
            except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
                findings.append(Finding(name, WRONG, f"cannot be checked: {_one_line(error)}", REINSTALL))
    return findings


def _python() -> Iterator[Finding]:
    yield Finding("python", OK, f"{platform.python_version()}, {sys.executable}")
    yield Finding("mnistgen", OK, f"{__version__}, {Path(__file__).parent}")


def _packages() -> Iterator[Finding]:
    for distribution, module in PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            fix = f"pip install --force-reinstall {distribution}"
            yield Finding(distribution, WRONG, f"cannot be imported ({_one_line(error)})", fix)
        else:
            yield Finding(distribution, OK, version(distribution) or "imported, but not installed by pip")


def _onnxruntime() -> Iterator[Finding]:
    from mnistgen._session import import_onnxruntime

    try:
        onnxruntime = import_onnxruntime()
    except DeviceError as error:
        fix = import_fix()
        yield Finding("onnxruntime", WRONG, str(error).removesuffix(f". {fix}"), fix)
        return
    yield Finding("onnxruntime", OK, onnxruntime.__version__)
    yield Finding("providers", OK, ", ".join(onnxruntime.get_available_providers()))


def _conflict() -> Iterator[Finding]:
    if installation_conflict():
        yield Finding("packages", WRONG, CONFLICT, KEEP_ONE)
    else:
        yield Finding("packages", OK, "no conflicting onnxruntime packages")


def _devices() -> Iterator[Finding]:
    """The devices that a session of the default model really runs on."""
    from mnistgen._session import CUDA, import_onnxruntime, why_not_cuda

    try:
        onnxruntime = import_onnxruntime()
        directory = find(DEFAULT_MODEL)
    except DeviceError:  # already a finding
        return
    except ModelError:
        yield Finding("devices", NOTE, f"not checked: {DEFAULT_MODEL} is damaged, see below")
        return
    failure = _failure("cpu")
    yield Finding("cpu", WRONG, failure, import_fix()) if failure else Finding("cpu", OK, f"runs {DEFAULT_MODEL}")
    gpus, driver = _nvidia()
    yield Finding("gpu", OK if gpus else NOTE, driver)
    not_opened = why_not_cuda(directory)
    built_for_cuda = CUDA in onnxruntime.get_available_providers()
    if built_for_cuda:
        yield from _cuda_libraries(onnxruntime)
    if reason := not_opened or _failure("cuda"):
        broken = not not_opened or (built_for_cuda and gpus)  # auto would choose a session that opens but fails
        fix = cuda_fix() if broken or gpus else None
        yield Finding("cuda", WRONG if broken else NOTE, f"does not run: {reason}", fix)
    else:
        yield Finding("cuda", OK, f"runs {DEFAULT_MODEL}")
    yield Finding("auto", OK, f"device auto selects {'cpu' if not_opened else 'cuda'}")


def _cpus() -> Iterator[Finding]:
    usable, total = usable_cpus(), os.cpu_count() or 1
    found = f"{usable} by default: {usable} of {total} CPUs are usable"
    if usable < total:
        yield Finding("threads", NOTE, f"{found}; CPU affinity or a quota excludes the others")
    else:
        yield Finding("threads", OK, found)


def _models() -> Iterator[Finding]:
    if not names():
        yield Finding("models", WRONG, "none is bundled", REINSTALL)
    for name in names():
        try:
            find(name)
        except ModelError as error:
            yield Finding(f"model {name}", WRONG, str(error), REINSTALL)
        else:
            yield Finding(f"model {name}", OK, "the SHA-256 matches the card")


def _telemetry() -> Iterator[Finding]:
    value = os.environ.get(TELEMETRY)
    if value == "1" or value is None:  # mnistgen sets it before it imports onnxruntime
        yield Finding("telemetry", OK, f"onnxruntime's telemetry is off ({TELEMETRY}=1)")
    else:
        yield Finding("telemetry", NOTE, f"onnxruntime's telemetry is left as you set it ({TELEMETRY}={value})")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": _python,
    "packages": _packages,
    "onnxruntime": _onnxruntime,
    "conflict": _conflict,
    "devices": _devices,
    "threads": _cpus,
    "models": _models,
    "telemetry": _telemetry,
}


def _failure(device: Device) -> str:
    """Why the default model cannot generate a digit on a device; "" if it can."""
    from mnistgen._generator import Generator

    try:
        Generator(DEFAULT_MODEL, device=device, threads=1).sample(1, seed=0)
    except MnistgenError as error:
        return str(error)
    return ""


def _nvidia() -> tuple[int, str]:
    """The number of GPUs that NVIDIA's driver reports, and a description. Needs no package, only the driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0, "no NVIDIA driver found"
    count = ctypes.c_int(0)
    if error := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0, f"none found by NVIDIA's driver (CUDA error {error})"
    return count.value, f"{count.value} found by NVIDIA's driver"


def _cuda_libraries(onnxruntime: ModuleType) -> Iterator[Finding]:
    """Which libraries can be loaded, after onnxruntime has preloaded those of the nvidia-* packages."""
    cuda_major = str(getattr(onnxruntime, "cuda_version", "")).partition(".")[0] or "12"
    for name, stems in CUDA_LIBRARIES.items():
        files = [_file_name(stem, CUDNN_MAJOR if stem == "cudnn" else cuda_major) for stem in stems]
        missing = [reason for file in files if (reason := _why_not_loaded(file))]
        yield Finding(name, NOTE if missing else OK, "; ".join(missing) or f"{', '.join(files)} found")


def _file_name(stem: str, major: str) -> str:
    return f"{stem}64_{major}.dll" if sys.platform == "win32" else f"lib{stem}.so.{major}"


def _why_not_loaded(file: str) -> str:
    try:
        ctypes.CDLL(file)
    except OSError as error:
        return _one_line(error) if file in str(error) else f"{file}: {_one_line(error)}"
    return ""


def _one_line(error: Exception) -> str:
    return plain(" ".join(str(error).split())) or type(error).__name__
