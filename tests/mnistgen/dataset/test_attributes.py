"""Requested attributes stand beside the labels in every format, and are those of the images."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mnistgen
from mnistgen._dataset.build import write_dataset
from mnistgen._dataset.plan import TEST_START
from tests.conftest import RunCli, contents

Columns = dict[str, NDArray[np.float32]]

N, TEST = 50, 20
ASKED: dict[str, Any] = {"thickness": (1.8, 3.5), "slant": 0.2}
NAMES = ["thickness", "slant", "requested_thickness", "requested_slant"]


def from_csv(*paths: Path) -> Columns:
    rows = [row for path in paths for row in csv.DictReader(io.StringIO(path.read_text()))]
    assert list(rows[0]) == ["index", "label", *NAMES]
    assert [int(row["index"]) for row in rows] == list(range(len(rows)))
    return {name: np.array([row[name] for row in rows], np.float32) for name in NAMES}


def from_npz(folder: Path, split: str) -> Columns:
    with np.load(folder / "mnist.npz") as arrays:
        return {name: arrays[f"{name}_{split}"] for name in NAMES}


def from_webdataset(folder: Path, split: str) -> Columns:
    rows = []
    for path in sorted(folder.glob(f"{split}-*.tar")):
        with tarfile.open(path) as file:
            rows += [json.loads(file.extractfile(name).read()) for name in file.getnames() if name.endswith(".json")]  # type: ignore[union-attr]
    return {name: np.array([row[name] for row in rows], np.float32) for name in NAMES}


def from_datasets(folder: Path, split: str) -> Columns:
    datasets = pytest.importorskip("datasets")
    files = {split: [str(path) for path in sorted(folder.rglob(f"{split}-*.parquet"))]}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(folder.parent / "cache"))[split]
    assert all(loaded.features[name] == datasets.Value("float32") for name in NAMES)
    return {name: np.array(loaded[name], np.float32) for name in NAMES}


READERS: dict[str, Callable[[Path, str], Columns]] = {
    "idx": lambda folder, split: from_csv(folder / f"attributes-{split}.csv"),
    "png": lambda folder, split: from_csv(*sorted((folder / "attributes").glob(f"{split}-*.csv"))),
    "npz": from_npz,
    "webdataset": from_webdataset,
    "parquet": from_datasets,
    "hf": from_datasets,
}


@pytest.mark.parametrize("name", READERS)
def test_columns_beside_the_labels(name: str, tmp_path: Path) -> None:
    out = tmp_path / "data"
    write_dataset(out, n=N, test=TEST, format=name, seed=5, shard_size=20, **ASKED)
    generator = mnistgen.Generator(device="cpu", threads=1)
    for split, start, count in (("train", 0, N), ("test", TEST_START, TEST)):
        columns = READERS[name](out, split)
        images = generator.sample(count, seed=5, start=start, **ASKED)
        found = mnistgen.measure(images)
        for attribute, values in (("thickness", found.thickness), ("slant", found.slant)):
            assert np.allclose(columns[attribute], values, atol=0.02), name  # a pixel may differ by one grey level
        assert np.allclose(columns["requested_slant"], 0.2, atol=1e-6)
        requested = columns["requested_thickness"]
        assert ((requested >= 1.8) & (requested <= 3.5)).all()
        assert np.abs(columns["thickness"] - requested).mean() < 0.2
        assert requested.std() > 0.3


@pytest.mark.parametrize("name", ["idx", "png"])
def test_two_workers_and_a_slice(name: str, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"n": N, "test": TEST, "format": name, "seed": 5, "shard_size": 20, **ASKED}
    write_dataset(tmp_path / "one", **arguments)
    write_dataset(tmp_path / "two", **arguments, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    write_dataset(tmp_path / "slice", **arguments | {"n": 20, "start": 20})
    whole, part = (from_lines(tmp_path / folder, name) for folder in ("one", "slice"))
    assert part == whole[20:40]


def from_lines(folder: Path, name: str) -> list[str]:
    """The lines of the training split's table."""
    paths = [folder / "attributes-train.csv"] if name == "idx" else sorted(folder.glob("attributes/train-*.csv"))
    return [line for path in paths for line in path.read_text().splitlines() if not line.startswith("index")]


def test_reproduced(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "data"
    options = ("--n", 30, "--test", 5, "--seed", 5, "--format", "png", "--workers", 1, "--quiet")
    assert run_cli("dataset", "--out", out, *options, "--thickness", "1.8:3.5", "--height", 19).code == 0
    outcome = run_cli("reproduce", out / "dataset.json", "--threads", 1)
    assert outcome.code == 0, outcome.err
    assert "every byte" in outcome.out
    picture = next((out / "train").rglob("*.png"))
    assert run_cli("reproduce", picture, "--threads", 1).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"thickness": 40}, "thickness: expected a number from 1."),
        ({"slant": float("nan")}, "slant: expected a number from "),
        ({"slant": (0.3, 0.1)}, "slant: expected a range from low to high, got (0.3, 0.1)"),
        ({"width": [9.0, 10.0, 11.0]}, "width: expected a number or a range (low, high), got [9.0, 10.0, 11.0]"),
    ],
)
def test_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        write_dataset(tmp_path / "data", n=10, seed=1, **arguments)
    assert str(error.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_other_attributes_are_another_data_set(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", n=10, test=0, seed=1, slant=0.1)
    with pytest.raises(mnistgen.InputError, match="was started with"):
        write_dataset(tmp_path / "data", n=10, test=0, seed=1, slant=0.2, resume=True)


def test_decode() -> None:
    generator = mnistgen.Generator(device="cpu")
    latents = mnistgen.latents(3, 0, 40)
    labels = np.arange(40) % 10
    same = generator.decode(latents, labels, slant=0.2, thickness=np.linspace(2, 3, 40))
    expected = generator.sample(labels=labels, seed=3, slant=0.2, thickness=np.linspace(2, 3, 40))
    assert (same == expected).all()
    assert generator.decode(latents[:2], [1, 2], slant=(0.1, 0.2)).shape == (2, 28, 28)  # one value each
    with pytest.raises(mnistgen.InputError, match=r"slant: expected a number or floats \(40,\)"):
        generator.decode(latents, labels, slant=(0.1, 0.2))
