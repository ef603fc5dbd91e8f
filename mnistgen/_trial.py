"""Test an untrusted model in a separate process with limits on time and memory.

A graph is a program: it can loop forever, use all memory, or crash onnxruntime.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from mnistgen._catalog import find, named
from mnistgen._checks import real_number
from mnistgen._doctor import OK, WRONG, Finding, Findings, examine
from mnistgen._errors import MnistgenError, plain
from mnistgen._keywords import suggesting_keywords

SECONDS = 60.0  # for all steps together
LIMITS = (1, 3600)  # range of seconds
MEMORY = 2**32  # bytes of address space; bundled models need less than half
DIGITS = 100
FIX = "Do not use it: outside this check, no limits apply"

# One thread per library: the memory that each thread reserves counts towards the limit.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
START = "import sys, json; path, given = json.loads(sys.argv[1]); sys.path[:] = path; import mnistgen._trial as trial; "
CHILD = START + "trial.run(**given)"


@suggesting_keywords
def doctor(model: str | os.PathLike[str] | None = None, *, seconds: float = SECONDS) -> Findings:
    """Check the installation, or test an untrusted model in a separate process with limits.

    Without `model`, the findings cover versions, devices, CPUs and the bundled models; nothing is changed. With a
    bundled name or a path, they cover the card, loading the model and generating digits on the CPU, up to the first
    step that fails. `seconds`, 1 to 3,600, limits the time; memory is limited to 4 GiB. The findings print as a table,
    and `findings.wrong` is True if there is a problem. Raises InputError if `model` is neither a name nor a path, and
    for other values of `seconds`.
    """
    return examine() if model is None else examine_model(model, seconds=seconds)


def examine_model(model: str | os.PathLike[str], *, seconds: float = SECONDS, memory: int = MEMORY) -> Findings:
    """Load a model on the CPU and generate digits in a separate process, up to the first step that fails.

    Time is limited everywhere, memory only where the system has resource limits (not on Windows; macOS ignores this
    one). Raises InputError as `doctor` does.
    """
    real_number("seconds", seconds, *LIMITS, "seconds")
    given = {"model": named(model), "seconds": seconds, "memory": memory}
    command = [sys.executable, "-c", CHILD, json.dumps([[str(folder) for folder in sys.path], given])]
    pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, **pipes, env=os.environ | ONE_THREAD, timeout=seconds, check=False)  # noqa: S603
        output, failure = done.stdout, f"its process ended with {_ending(done.returncode)}"
    except subprocess.TimeoutExpired as error:
        output, failure = error.stdout or b"", f"not finished after {seconds:g} s"
    findings = Findings(Finding(**json.loads(line)) for line in output.splitlines())
    if len(findings) < len(STEPS) and not findings.wrong:
        findings.append(Finding(list(STEPS)[len(findings)], WRONG, failure, FIX))
    return findings


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):  # a number without a name
            return signal.Signals(-code).name
    return f"exit code {code}"


def run(model: str, seconds: float, memory: int) -> None:
    """In the separate process: print the finding of each step as a line of JSON, up to the first that fails."""
    _limit({"RLIMIT_AS": memory, "RLIMIT_CPU": math.ceil(seconds) + 1, "RLIMIT_CORE": 0})
    for name, step in STEPS.items():
        start = time.perf_counter()
        try:
            found = step(model)
        except MnistgenError as error:
            finding = Finding(name, WRONG, str(error), None if step is _card else FIX)
        except MemoryError:
            finding = Finding(name, WRONG, f"needs more than {memory / 2**30:.1f} GiB of memory", FIX)
        except Exception as error:  # noqa: BLE001 - a hostile model may cause any error
            finding = Finding(name, WRONG, plain(f"{type(error).__name__}: {error}"), FIX)
        else:
            finding = Finding(name, OK, f"{found}, {time.perf_counter() - start:.2f} s")
        print(json.dumps(finding.to_dict()), flush=True)
        if finding.status == WRONG:
            return


def _limit(limits: Mapping[str, int]) -> None:
    """Set resource limits where the system has them. They apply even if the parent process is killed."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in limits.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):  # not available, or a lower limit is set
            kind = getattr(resource, name)
            resource.setrlimit(kind, (value, value))


def _card(model: str) -> str:
    return f"{find(model).card.name}, the SHA-256 matches the card"


def _opens(model: str) -> str:
    from mnistgen._generator import Generator

    Generator(model, device="cpu", threads=1)
    return "loaded by onnxruntime"


def _draws(model: str) -> str:
    from mnistgen._generator import Generator

    Generator(model, device="cpu", threads=1).sample(DIGITS, seed=0)
    return f"{DIGITS} digits generated"


STEPS: Mapping[str, Callable[[str], str]] = {"card": _card, "opens": _opens, "draws": _draws}
