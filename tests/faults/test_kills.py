"""A kill at every change of a file leaves the old file or data set, or the new one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import contents

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="which has no SIGKILL")

# An audit hook kills the process at the Nth event that opens a file for writing, or that moves or removes one. Each
# event is a fork of the same process, which has imported everything: only the writing is repeated.
SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
import mnistgen

folder, model = Path(sys.argv[1]), sys.argv[2]
images = np.arange(3 * 784, dtype=np.int64).reshape(3, 28, 28).astype(np.uint8)

def write(seed):
    {call}

seen = -1  # not counting

def watch(event, arguments):
    global seen
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if seen >= 0 and (writing or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")):
        seen += 1
        if seen == target:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
write(1)  # the old one, and all imports
target = 1
while True:
    child = os.fork()
    if not child:
        seen = 0
        write(2)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(target, "finished" if status == 0 else "killed", flush=True)
    sys.stdin.readline()  # the test looks at the folder, and puts the old one back
    if status == 0:
        break
    target += 1
"""
CALLS = {
    "picture.png": "mnistgen.save(folder / 'out.png', 255 - images if seed == 2 else images)",
    "arrays.npz": "mnistgen.save(folder / 'out.npz', 255 - images if seed == 2 else images)",
    "idx": "mnistgen.write_dataset(folder / 'out', n=5, test=2, seed=seed, model=model, force=True)",
    "png": "mnistgen.write_dataset(folder / 'out', n=5, test=2, seed=seed, model=model, force=True, format='png')",
}


@pytest.mark.parametrize("name", CALLS)
def test_kills(name: str, conditional_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    script = SCRIPT.replace("{call}", CALLS[name])
    command = [sys.executable, "-W", "ignore", "-c", script, str(folder), str(conditional_model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        killed, outcomes = 0, []
        for line in process.stdout:
            if not killed:
                old = expected(name, conditional_model, tmp_path / "old", 1)
                new = expected(name, conditional_model, tmp_path / "new", 2)
            found = contents(folder)
            at_target = {path: content for path, content in found.items() if path.startswith("out")}
            hidden = {path: content for path, content in found.items() if not path.startswith("out")}
            moved = {path.partition("/old/")[2]: content for path, content in hidden.items() if "/old/" in path}
            # Between two renames, the old data set is complete in the hidden folder, and the new one too.
            complete = at_target in (old, new) or (not at_target and {f"out/{k}": v for k, v in moved.items()} == old)
            assert complete, line
            outcomes.append(at_target == new)
            killed += "killed" in line
            if "finished" in line:
                assert not hidden
                assert at_target == new
            shutil.rmtree(folder)
            folder.mkdir()
            write_old(old, folder)
            process.stdin.write("\n")
            process.stdin.flush()
    assert process.returncode == 0
    assert killed >= 2
    assert False in outcomes


def expected(name: str, model: Path, folder: Path, seed: int) -> dict[str, bytes]:
    """What an undisturbed call writes."""
    folder.mkdir()
    script = SCRIPT.replace("{call}", CALLS[name]).partition("seen = -1")[0] + f"write({seed})"
    subprocess.run([sys.executable, "-c", script, str(folder), str(model)], check=True)
    return contents(folder)


def write_old(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
