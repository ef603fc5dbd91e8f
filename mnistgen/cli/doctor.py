"""mnistgen doctor: versions, the device that is used, the bundled models, and a fix for each problem.

A machine without CUDA is not a problem. Nothing is changed and nothing is sent.
"""

import json
import platform
import sys
import warnings
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer

from mnistgen import DEFAULT_MODEL, Generator, MnistgenError, __version__
from mnistgen._model import find, names
from mnistgen._runtime import CUDA_FIX, conflict, usable_cpus
from mnistgen.cli import app, say

REINSTALL = "pip install --force-reinstall --no-deps mnistgen"
PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "pillow", "rich", "typer")


class Finding(NamedTuple):
    """What was checked, whether it is as it should be, what was found, and the fix."""

    name: str
    ok: bool
    found: str
    fix: str | None = None


@app.command(epilog="Example: mnistgen doctor --json")
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check the installation and print a fix for each problem. Exit code 1 if there is a problem."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the findings say the same
        findings = [*_versions(), *_devices(), *_models()]
    wrong = sum(not finding.ok for finding in findings)
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        width = max(len(finding.name) for finding in findings)
        for name, ok, found, fix in findings:
            say(f"{name:{width}}  {'ok   ' if ok else 'wrong'}  {found}")
            if fix:
                say(f"{'':{width}}         -> {fix}")
        print(f"\n{wrong or 'nothing'} wrong")
    if wrong:
        raise typer.Exit(1)


def _versions() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version  # imported here: it is slow

    yield Finding("mnistgen", True, f"{__version__}, Python {platform.python_version()}, {sys.executable}")
    for package in PACKAGES:
        try:
            yield Finding(package, True, version(package))
        except PackageNotFoundError:
            if not package.startswith("onnxruntime"):  # one of the two is enough; importing it is checked below
                yield Finding(package, False, "not installed", f"pip install {package}")
    if found := conflict():
        problem, _, fix = found.partition(". ")
        yield Finding("packages", False, problem, fix)


def _devices() -> Iterator[Finding]:
    yield Finding("threads", True, f"{usable_cpus()} by default, one for each usable CPU")
    try:
        generator = Generator(DEFAULT_MODEL)
        generator.sample(1, seed=0)
    except MnistgenError as error:
        yield Finding("device", False, str(error), CUDA_FIX)
        return
    reason = f": CUDA is not used because {why}" if (why := generator._session.why_not_cuda) else ""
    yield Finding("device", True, f"auto runs {DEFAULT_MODEL} on {generator.device}{reason}")


def _models() -> Iterator[Finding]:
    for name in names():
        try:
            directory = find(name)
            for path in directory.path.iterdir():
                if path.name.endswith(".onnx"):
                    directory.read(path.name)
            yield Finding(f"model {name}", True, "each SHA-256 is that of the card")
        except MnistgenError as error:
            yield Finding(f"model {name}", False, str(error), REINSTALL)
