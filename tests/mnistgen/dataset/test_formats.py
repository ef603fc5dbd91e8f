"""Each format is readable by its library and contains the digits of the seed, with requested attributes."""

import csv
import gc
import io
import json
import tarfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import mnistgen
from mnistgen.dataset.plan import TEST_START

N, TEST = 130, 40
WANTED: dict[str, Any] = {"seed": 5, "thickness": (1.8, 3.5), "slant": 0.2}
COLUMNS = ["thickness", "slant", "requested_thickness", "requested_slant"]


class Split(NamedTuple):
    """A split as read from files."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    attributes: dict[str, Any]


def split_of(pairs: Iterable[tuple[Any, Any]], attributes: dict[str, Any]) -> Split:
    """Convert pairs of picture and label to arrays."""
    images, labels = zip(*pairs, strict=True)
    pixels = np.stack([np.asarray(image) for image in images])
    return Split(pixels, np.array([int(label) for label in labels]), attributes)


def table(folder: Path, split: str) -> dict[str, Any]:
    rows = list(csv.DictReader(io.StringIO((folder / f"attributes-{split}.csv").read_text())))
    assert list(rows[0]) == ["index", "label", *COLUMNS]
    assert [int(row["index"]) for row in rows] == list(range(len(rows)))
    return {name: [row[name] for row in rows] for name in COLUMNS}


def by_torchvision(folder: Path, split: str) -> Split:
    datasets = pytest.importorskip("torchvision.datasets")
    mnist = datasets.MNIST(root=str(folder), train=split == "train", download=False)
    return Split(mnist.data.numpy(), mnist.targets.numpy(), table(folder, split))


def by_numpy(folder: Path, split: str) -> Split:
    with np.load(folder / "mnist.npz", allow_pickle=False) as arrays:
        assert {arrays[name].dtype.name for name in ("x_train", "y_train", "x_test", "y_test")} == {"uint8"}
        attributes = {name: arrays[f"{name}_{split}"] for name in COLUMNS}
        return Split(arrays[f"x_{split}"], arrays[f"y_{split}"], attributes)


def by_image_folder(folder: Path, split: str) -> Split:
    pictures = pytest.importorskip("torchvision.datasets").ImageFolder(str(folder / split))
    assert pictures.classes == [str(digit) for digit in range(10)]
    files = sorted(pictures.samples, key=lambda sample: Path(sample[0]).name)
    with Image.open(files[0][0]) as picture:
        assert (picture.info["model"], picture.info["seed"], picture.info["label"]) == ("digits", "5", str(files[0][1]))
    pairs = ((pictures.loader(path).convert("L"), label) for path, label in files)
    return split_of(pairs, table(folder, split))


def by_webdataset(folder: Path, split: str) -> Split:
    webdataset = pytest.importorskip("webdataset")
    urls = sorted(str(path) for path in folder.glob(f"{split}-*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library does not close its files
        rows = list(webdataset.WebDataset(urls, shardshuffle=False).decode("l8").to_tuple("png", "cls", "json"))
        gc.collect()
    attributes = {name: [row[2][name] for row in rows] for name in COLUMNS}
    return split_of(((image, label) for image, label, _ in rows), attributes)


def by_datasets(folder: Path, split: str) -> Split:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(folder), cache_dir=str(folder.parent / "cache"))[split]
    assert loaded.features["image"] == datasets.Image()
    assert loaded.features["label"] == datasets.ClassLabel(names=[str(digit) for digit in range(10)])
    assert all(loaded.features[name] == datasets.Value("float32") for name in COLUMNS)
    attributes = {name: loaded[name] for name in COLUMNS}
    return split_of(((row["image"], row["label"]) for row in loaded), attributes)


def by_pandas(folder: Path, split: str) -> Split:
    paths = sorted((folder / "data").glob(f"{split}-*.parquet"))
    total = {"train": 7, "test": 2}[split]
    assert [path.name for path in paths] == [f"{split}-{k:05}-of-{total:05}.parquet" for k in range(total)]
    frame = pytest.importorskip("pandas").concat(map(pytest.importorskip("pandas").read_parquet, paths))
    pictures = (Image.open(io.BytesIO(image["bytes"])) for image in frame["image"])
    return split_of(zip(pictures, frame["label"], strict=True), {name: frame[name] for name in COLUMNS})


READERS: list[tuple[str, Callable[[Path, str], Split]]] = [
    ("idx", by_torchvision),
    ("npz", by_numpy),
    ("png", by_image_folder),
    ("webdataset", by_webdataset),
    ("parquet", by_datasets),
    ("parquet", by_pandas),
]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_readable_by_its_library(name: str, read: Callable[[Path, str], Split], tmp_path: Path) -> None:
    out = tmp_path / "data"
    mnistgen.write_dataset(out, n=N, test=TEST, format=name, shard_size=20, **WANTED)
    generator = mnistgen.Generator(device="cpu", threads=1)
    for split, start, count in (("train", 0, N), ("test", TEST_START, TEST)):
        images, labels, attributes = read(out, split)
        expected = generator.sample_labelled(count, start=start, **WANTED)
        assert (labels == expected.labels).all()
        assert images.shape == expected.images.shape
        assert np.mean(np.abs(images.astype(int) - expected.images) > 8) < 1e-4  # blocks of another size
        found = {column: np.array(values, np.float32) for column, values in attributes.items()}
        measured = mnistgen.measure(images)
        assert np.allclose(found["thickness"], measured.thickness, atol=1e-5)
        assert np.allclose(found["slant"], measured.slant, atol=1e-5)
        assert np.allclose(found["requested_slant"], 0.2, atol=1e-6)
        requested = found["requested_thickness"]
        assert ((requested >= 1.8) & (requested <= 3.5)).all()
        assert np.abs(found["thickness"] - requested).mean() < 0.2
        assert requested.std() > 0.3


def test_shards_without_attributes(conditional_model: Path, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {"n": 50, "test": 0, "seed": 1, "shard_size": 20, "model": conditional_model}
    mnistgen.write_dataset(tmp_path / "tar", format="webdataset", **wanted)
    with tarfile.open(tmp_path / "tar" / "train-000002.tar") as file:
        assert file.getnames()[:3] == ["000000000040.png", "000000000040.cls", "000000000041.png"]
    mnistgen.write_dataset(tmp_path / "idx", **wanted)
    assert not list((tmp_path / "idx").glob("*.csv"))
    described = json.loads((tmp_path / "idx" / "dataset.json").read_text())
    assert described["files"].keys() == {f"MNIST/raw/train-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")}
