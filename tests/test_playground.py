"""The recorded references of the playground are those of this version of mnistgen."""

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mnistgen

SCRIPT = Path(__file__).resolve().parents[1] / "playground" / "tests" / "record.py"
RECORDED = SCRIPT.with_name("recorded")
EXACT = ("pairs", "range", "pixels", "edited", "encoded", "read", "drawings")  # facts that hold on any machine
FILES = {"pixels": "u1", "edited": "u1", "encoded": "u1", "normalised": "u1", "drawings": "u1", "latents": "<f4"}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with newly recorded references."""
    found = importlib.util.spec_from_file_location("record", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.RECORDED = tmp_path_factory.mktemp("recorded")
    module.main()
    folder: Path = module.RECORDED
    return folder


def array(folder: Path, name: str) -> NDArray[Any]:
    return np.frombuffer(gzip.decompress((folder / f"{name}.gz").read_bytes()), FILES[name]).astype(np.float32)


def test_facts(fresh: Path) -> None:
    now, recorded = (json.loads((folder / "facts.json").read_text()) for folder in (fresh, RECORDED))
    for name in EXACT:
        assert now[name] == recorded[name], "outdated; run python playground/tests/record.py"
    for name, values in recorded["measured"].items():
        assert np.allclose(now["measured"][name], values, atol=0.02)
    assert np.allclose(now["spherical"], recorded["spherical"], atol=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_arrays(fresh: Path, name: str) -> None:
    now, recorded = (array(folder, name) for folder in (fresh, RECORDED))
    # Grey levels may differ by one where arithmetic runs in another order; with requested attributes, that adds up.
    assert np.abs(now - recorded).max() <= {"edited": 8, "latents": 1e-3}.get(name, 1)


def test_sample(fresh: Path) -> None:
    with np.load(fresh / "sample.npz") as now, np.load(RECORDED / "sample.npz") as recorded:
        assert list(now) == list(recorded)
        assert np.abs(now["images"].astype(int) - recorded["images"]).max() <= 1
        for name in ("labels", "seed", "start", "model", "method", "arguments"):
            assert np.array_equal(now[name], recorded[name])
        assert recorded["sha256"] == mnistgen.card().sha256
