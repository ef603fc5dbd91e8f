"""A real Ray cluster of two workers gives the digits of write_dataset, and its writers write them."""

import io
import os
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mnistgen

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # in Ray

WANTED: dict[str, Any] = {"seed": 5, "start": 1_700, "digits": [1, 1, 7], "thickness": (2.0, 3.0), "slant": 0.1}
N = 2_345


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray cluster, started once for all tests of this module."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray")
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    signal.signal(signal.SIGTERM, handler)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The training images of write_dataset with the same arguments."""
    folder = tmp_path_factory.mktemp("ray") / "data"
    mnistgen.write_dataset(folder, n=N, test=0, format="npz", **WANTED)
    with np.load(folder / "mnist.npz") as arrays:
        return {name.removesuffix("_train"): arrays[name] for name in arrays}


def test_rows_are_those_of_write_dataset(ray: Any, expected: dict[str, Any]) -> None:
    rows = sorted(mnistgen.ray.digits(N, **WANTED).take_all(), key=lambda row: row["index"])
    assert [row["index"] for row in rows] == list(range(1_700, 1_700 + N))
    assert rows[0]["image"].dtype == np.uint8
    assert (np.stack([row["image"] for row in rows]) == expected["x"]).all()
    assert [row["label"] for row in rows] == expected["y"].tolist()
    for name in ("thickness", "slant", "requested_thickness", "requested_slant"):
        assert (np.array([row[name] for row in rows], np.float32) == expected[name]).all()


def test_writers(ray: Any, expected: dict[str, Any], tmp_path: Path) -> None:
    digits = mnistgen.ray.digits(300, **WANTED)
    digits.write_parquet(str(tmp_path / "parquet"))
    rows = sorted(ray.data.read_parquet(str(tmp_path / "parquet")).take_all(), key=lambda row: row["index"])
    assert (np.stack([row["image"] for row in rows]) == expected["x"][:300]).all()
    assert [row["label"] for row in rows] == expected["y"][:300].tolist()

    named = digits.map(lambda row: {"__key__": f"{row['index']:012}", "png": row["image"], "cls": row["label"]})
    named.write_webdataset(str(tmp_path / "webdataset"))
    found: dict[str, bytes] = {}
    for path in (tmp_path / "webdataset").iterdir():
        with tarfile.open(path) as file:
            found |= {member.name: file.extractfile(member).read() for member in file}  # type: ignore[union-attr]
    assert len(found) == 600
    for index in (0, 299):
        with Image.open(io.BytesIO(found[f"{1_700 + index:012}.png"])) as picture:
            assert (np.asarray(picture) == expected["x"][index]).all()
        assert int(found[f"{1_700 + index:012}.cls"]) == expected["y"][index]

    digits.write_images(str(tmp_path / "images"), column="image")
    assert len(list((tmp_path / "images").iterdir())) == 300


def test_refused(ray: Any, conditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError, match="n: expected at least one training or test image, got none"):
        mnistgen.ray.digits(0, model=conditional_model)


def test_not_installed(conditional_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(mnistgen.DependencyError, match=r'ray: is not installed; pip install "mnistgen\[ray\]"'):
        mnistgen.ray.digits(3, model=conditional_model)
