"""The documented recipes for TensorFlow and JAX, with the real libraries."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FAQ = (Path(__file__).resolve().parents[1] / "docs" / "faq.md").read_text()
RECIPES = dict(zip(("tensorflow", "jax"), re.findall(r"```python\n(.*?)```", FAQ, re.DOTALL), strict=True))
CHECKS = {
    "tensorflow": """
batches = list(as_tf_dataset(2000, seed=1).as_numpy_iterator())
images, labels = (np.concatenate(parts) for parts in zip(*batches))
""",
    "jax": """
assert (x.shape, x.dtype, float(x.max())) == ((60_000 % 128, 28, 28), jnp.float32, 1.0)
images, labels = (np.asarray(part) for part in (jnp.rint(x * 255).astype(jnp.uint8), y))
""",
}
FIRST = {"tensorflow": 0, "jax": 60_000 - 60_000 % 128}  # index of the first digit that is compared


@pytest.mark.parametrize("library", RECIPES)
def test_recipes_give_the_digits_of_the_seed(library: str) -> None:
    if find_spec(library) is None:
        pytest.skip(f"pip install {library}")
    script = f"""
import numpy as np
import mnistgen
{RECIPES[library]}
{CHECKS[library]}
expected = mnistgen.generate(len(images), seed=1, start={FIRST[library]}, return_labels=True)
assert np.array_equal(images, expected.images) and np.array_equal(labels, expected.labels)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
