"""A model that nobody vouches for, tried in a process of its own, which may not take long nor much memory.

A graph is a program: it can loop for ever, take all memory, or crash onnxruntime.
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

SECONDS = 60.0  # for all steps
LIMITS = (1, 3600)  # seconds, from and to
MEMORY = 2**32  # bytes of address space, of which a bundled model needs less than half
DIGITS = 100
MEND = "Do not use it: elsewhere nothing would stop it"

# One thread a library: what they set aside for each counts as memory.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
START = "import sys, json; path, given = json.loads(sys.argv[1]); sys.path[:] = path; import mnistgen._trial as trial; "
CHILD = START + "trial.run(**given)"


@suggesting_keywords
def doctor(model: str | os.PathLike[str] | None = None, *, seconds: float = SECONDS) -> Findings:
    """Check what is installed and will be used, or open and sample an untrusted model in a process with limits.

    Without a model: versions, devices, CPUs, the bundled models; nothing is changed. With one, a bundled name or a
    path: the card, opening it and drawing digits on the CPU, up to the first step that fails; `seconds`, 1 to 3,600,
    limits the time, 4 GiB the memory. The findings print as a table; `findings.wrong` says whether anything is wrong.
    Raises InputError for a model that is neither a name nor a path, and other numbers of seconds.
    """
    return examine() if model is None else examine_model(model, seconds=seconds)


def examine_model(model: str | os.PathLike[str], *, seconds: float = SECONDS, memory: int = MEMORY) -> Findings:
    """What happens when a model is opened on the CPU and draws digits, up to the first step that fails.

    The memory is limited where the system has resource limits (not on Windows; macOS ignores this one), the time
    everywhere. Raises InputError for what is neither a name nor a path, and for others than 1 to 3,600 seconds.
    """
    real_number("seconds", seconds, *LIMITS, "seconds")
    given = {"model": named(model), "seconds": seconds, "memory": memory}
    command = [sys.executable, "-c", CHILD, json.dumps([[str(folder) for folder in sys.path], given])]
    pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        done = subprocess.run(command, **pipes, env=os.environ | ONE_THREAD, timeout=seconds, check=False)  # noqa: S603
        output, failure = done.stdout, f"its process ended with {_ending(done.returncode)}"
    except subprocess.TimeoutExpired as late:
        output, failure = late.stdout or b"", f"not done after {seconds:g} s"
    findings = Findings(Finding(**json.loads(line)) for line in output.splitlines())
    if len(findings) < len(STEPS) and not findings.wrong:
        findings.append(Finding(list(STEPS)[len(findings)], WRONG, failure, MEND))
    return findings


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):  # a number without a name
            return signal.Signals(-code).name
    return f"exit code {code}"


# --- in the process of its own ---------------------------------------------------------------------------------------


def run(model: str, seconds: float, memory: int) -> None:
    """Print the finding of every step, as a line of JSON each, up to the first that fails."""
    _limit({"RLIMIT_AS": memory, "RLIMIT_CPU": math.ceil(seconds) + 1, "RLIMIT_CORE": 0})
    for name, step in STEPS.items():
        start = time.perf_counter()
        try:
            found = step(model)
        except MnistgenError as error:
            finding = Finding(name, WRONG, str(error), None if step is _card else MEND)
        except MemoryError:
            finding = Finding(name, WRONG, f"needs more than {memory / 2**30:.1f} GiB of memory", MEND)
        except Exception as error:  # noqa: BLE001 - whatever a hostile model breaks
            finding = Finding(name, WRONG, plain(f"{type(error).__name__}: {error}"), MEND)
        else:
            finding = Finding(name, OK, f"{found}, {time.perf_counter() - start:.2f} s")
        print(json.dumps(finding.to_dict()), flush=True)
        if finding.status == WRONG:
            return


def _limit(limits: Mapping[str, int]) -> None:
    """Limit this process where the system can, also for the case that its parent is killed."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in limits.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):  # unknown here, or lower already
            kind = getattr(resource, name)
            resource.setrlimit(kind, (value, value))


def _card(model: str) -> str:
    return f"{find(model).card.name}, its SHA-256 is the one on its card"


def _opens(model: str) -> str:
    from mnistgen._generator import Generator

    Generator(model, device="cpu", threads=1)
    return "onnxruntime opens it"


def _draws(model: str) -> str:
    from mnistgen._generator import Generator

    Generator(model, device="cpu", threads=1).sample(DIGITS, seed=0)
    return f"draws {DIGITS} digits"


STEPS: Mapping[str, Callable[[str], str]] = {"card": _card, "opens": _opens, "draws": _draws}
