"""The recipes of the documentation work as they stand, with the real libraries."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnistgen

ROOT = Path(__file__).resolve().parents[1]

# For each library, what turns its recipe into images and labels, and the index of the first of these digits.
LIBRARIES = {
    "tensorflow": (
        """
found = list(as_tf_dataset(2050, seed=1).as_numpy_iterator())
images, labels = (np.concatenate(parts) for parts in zip(*found))
assert len(images) == 2050
""",
        0,
    ),
    "jax": (
        """
assert (x.shape, x.dtype, float(x.max())) == ((100, 28, 28), jnp.float32, 1.0)
images, labels = (np.asarray(part) for part in (jnp.rint(x * 255).astype(jnp.uint8), y))
""",
        60_000 - 100,
    ),
}


def recipe(page: str, words: str) -> str:
    """The Python block of a page that contains some words."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    (found,) = (block for block in blocks if words in block)
    return str(found)


def run(*arguments: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("library", LIBRARIES)
def test_batches_of_other_libraries_have_the_digits_of_the_seed(library: str, tmp_path: Path) -> None:
    if find_spec(library) is None:
        pytest.skip(f"pip install {library}")
    conversion, first = LIBRARIES[library]
    script = f"""
import numpy as np
{recipe("faq.md", "def batches")}
{recipe("faq.md", f"import {library}")}
{conversion}
expected = mnistgen.generate_labelled(len(images), seed=1, start={first})
assert np.array_equal(images, expected.images) and np.array_equal(labels, expected.labels)
"""
    run("-c", script, folder=tmp_path)


def run_pytest(folder: Path, test: str, *arguments: str) -> str:
    (folder / "conftest.py").write_text(recipe("faq.md", "pytest_addoption"))
    (folder / "test_it.py").write_text(test)
    return run("-m", "pytest", "-p", "no:cacheprovider", *arguments, folder=folder)


def test_fixture_has_the_digits_of_the_given_seed(tmp_path: Path) -> None:
    test = """
import mnistgen

def test_it(digits):
    images, labels = digits(3, digit=7)
    assert (images == mnistgen.generate(3, digit=7, seed=5)).all()
    assert labels.tolist() == [7, 7, 7]
"""
    assert "--digits-seed 5\n" in run_pytest(tmp_path, test, "--digits-seed", "5")


def test_fixture_has_the_seed_of_the_header_in_workers_of_xdist(tmp_path: Path) -> None:
    test = "def test_it(digits): print('used', digits.keywords['seed'])"
    out = run_pytest(tmp_path, test, "-n", "1", "-rP")
    (shown,), (used,) = re.findall(r"^--digits-seed (\d+)$", out, re.M), re.findall(r"^used (\d+)$", out, re.M)
    assert shown == used


def test_record_of_a_picture_generates_it_again(tmp_path: Path) -> None:
    run("-m", "mnistgen", "sample", "-o", "grid.png", "-n", "9", "--seed", "3", "--digit", "1,2", folder=tmp_path)
    code = recipe("_cli.md", 'Image.open("grid.png")') + "\nmnistgen.save('again.npy', images)"
    run("-c", code, folder=tmp_path)
    with Image.open(tmp_path / "grid.png") as picture:
        again = np.load(tmp_path / "again.npy")
        assert np.array_equal(np.asarray(picture), np.asarray(mnistgen.show(again)))
