"""Each format is readable by its library and contains the digits of the seed."""

import gc
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import mnistgen
from mnistgen._dataset.build import store_at, write_dataset
from mnistgen._dataset.formats import FORMATS
from mnistgen._dataset.plan import TEST_START

TRAIN, TEST = 2300, 40
SIZE = 1000  # digits per shard


class Split(NamedTuple):
    """A split as read from files."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


Splits = dict[str, Split]


def gathered(pairs: Iterable[tuple[Any, Any]]) -> Split:
    """Convert pairs of picture and label to arrays."""
    images, labels = zip(*pairs, strict=True)
    return Split(np.stack([np.asarray(image) for image in images]), np.array([int(label) for label in labels]))


def by_torchvision(folder: Path) -> Splits:
    from torchvision.datasets import MNIST

    sets = {split: MNIST(root=str(folder), train=split == "train", download=False) for split in ("train", "test")}
    return {split: Split(mnist.data.numpy(), mnist.targets.numpy()) for split, mnist in sets.items()}


def by_numpy(folder: Path) -> Splits:
    with np.load(folder / "mnist.npz", allow_pickle=False) as arrays:
        assert list(arrays) == ["x_train", "y_train", "x_test", "y_test"]
        assert all(array.dtype == np.uint8 for array in arrays.values())
        return {split: Split(arrays[f"x_{split}"], arrays[f"y_{split}"]) for split in ("train", "test")}


def by_image_folder(folder: Path) -> Splits:
    from torchvision.datasets import ImageFolder

    found = {}
    for split in ("train", "test"):
        pictures = ImageFolder(str(folder / split))
        assert pictures.classes == [str(digit) for digit in range(10)]
        files = sorted(pictures.samples, key=lambda sample: Path(sample[0]).name)
        found[split] = gathered((pictures.loader(path).convert("L"), label) for path, label in files)
    return found


def by_webdataset(folder: Path) -> Splits:
    import webdataset

    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library does not close its files
        for split in ("train", "test"):
            urls = sorted(str(path) for path in folder.glob(f"{split}-*.tar"))
            found[split] = gathered(webdataset.WebDataset(urls, shardshuffle=False).decode("l8").to_tuple("png", "cls"))
        gc.collect()
    return found


def by_pyarrow(folder: Path) -> Splits:
    import io

    from PIL import Image
    from pyarrow import parquet

    found = {}
    for split in ("train", "test"):
        tables = [parquet.read_table(path) for path in sorted(folder.glob(f"{split}-*.parquet"))]
        rows = [row for table in tables for row in table.to_pylist()]
        found[split] = gathered((Image.open(io.BytesIO(row["image"]["bytes"])), row["label"]) for row in rows)
    return found


def by_datasets(folder: Path) -> Splits:
    """Load like users of the Hub do: parquet files by name, a repository by its folder."""
    from datasets import ClassLabel, Image, load_dataset

    cache = str(folder.parent / "cache")
    if (folder / "README.md").exists():
        loaded = load_dataset(str(folder), cache_dir=cache)
    else:
        files = {split: str(folder / f"{split}-*.parquet") for split in ("train", "test")}
        loaded = load_dataset("parquet", data_files=files, cache_dir=cache)
    for split in loaded.values():
        assert split.features == {"image": Image(), "label": ClassLabel(names=[str(digit) for digit in range(10)])}
    return {name: gathered((row["image"], row["label"]) for row in split) for name, split in loaded.items()}


READERS: list[tuple[str, Callable[[Path], Splits]]] = [
    ("idx", by_torchvision),
    ("npz", by_numpy),
    ("png", by_image_folder),
    ("webdataset", by_webdataset),
    ("parquet", by_pyarrow),
    ("parquet", by_datasets),
    ("hf", by_datasets),
]


@pytest.mark.parametrize(("name", "read"), READERS)
def test_readable_by_its_library(
    name: str, read: Callable[[Path], Splits], conditional_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    write_dataset(out, n=TRAIN, test=TEST, format=name, seed=5, model=conditional_model, shard_size=SIZE)
    generator = mnistgen.Generator(conditional_model, threads=1)
    for split, start, count in (("train", 0, TRAIN), ("test", TEST_START, TEST)):
        images, labels = read(out)[split]
        expected = generator.sample(count, seed=5, start=start, return_labels=True)
        assert (labels == expected.labels).all()
        assert images.shape == expected.images.shape
        assert (np.abs(images.astype(int) - expected.images) <= 1).all()


@pytest.mark.parametrize("name", FORMATS)
def test_manifest_lists_all_files(name: str, conditional_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    summary = write_dataset(out, n=30, test=10, format=name, seed=5, model=conditional_model, shard_size=20)
    described = json.loads((out / "dataset.json").read_text())
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {*described["files"], "dataset.json"}
    assert summary.files == len(described["files"])
    for path, sha256 in described["files"].items():
        assert hashlib.sha256((out / path).read_bytes()).hexdigest() == sha256
    assert {split: sum(counts) for split, counts in described["counts"].items()} == {"train": 30, "test": 10}
    assert described["model_sha256"] == mnistgen.Generator(conditional_model).card.sha256


@pytest.mark.parametrize("name", ["parquet", "webdataset", "hf"])
def test_writes_to_url(name: str, conditional_model: Path, tmp_path: Path) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    arguments: dict[str, Any] = {
        "n": 50,
        "test": 10,
        "seed": 5,
        "format": name,
        "model": conditional_model,
        "shard_size": 20,
    }
    url = f"memory://{tmp_path.name}-{name}/data"
    write_dataset(url, **arguments)
    write_dataset(tmp_path / "data", **arguments)
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert files.cat(f"{url}/{path.relative_to(tmp_path / 'data').as_posix()}") == path.read_bytes()
    with pytest.raises(mnistgen.InputError, match="contains a data set"):
        write_dataset(url, **arguments)
    write_dataset(url, **arguments, force=True)
    assert not files.exists(f"{url}/.progress")


@pytest.mark.parametrize("name", ["idx", "npz"])
def test_object_stores_require_sharded_formats(name: str, conditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError, match=f"format {name}: .* choose parquet, webdataset or hf"):
        write_dataset("memory://nowhere/data", format=name, seed=1, model=conditional_model)


def test_idx_size_limit(conditional_model: Path, tmp_path: Path) -> None:
    with pytest.raises(mnistgen.InputError, match=r"train: expected at most 2,147,483,647 images in an IDX file"):
        write_dataset(tmp_path / "data", n=2**31, seed=1, model=conditional_model)
    assert not list(tmp_path.iterdir())


def test_missing_bucket_is_not_created(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    class Empty(MemoryFileSystem):  # type: ignore[misc]  # untyped
        def ls(self, path: str, **options: object) -> list[str]:
            raise FileNotFoundError(path)

        def makedirs(self, path: str, exist_ok: bool = False) -> None:
            raise AssertionError(path)

    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url, **options: (Empty(), "nowhere/data"))
    with pytest.raises(mnistgen.InputError, match="nowhere/data: bucket nowhere does not exist; create it"):
        write_dataset("object://nowhere/data", n=10, format="parquet", seed=1)


def test_failed_manifest_is_not_written() -> None:
    def halfway() -> Iterator[bytes]:
        yield b"{"
        raise FileNotFoundError("a record is gone")

    store = store_at("memory://halfway/data")
    with store.owned():
        store.begin(b"{}", 0)
        with pytest.raises(FileNotFoundError, match="a record is gone"):
            store.publish(halfway())
        assert store.manifest() is None
        store.publish(iter([b"{", b"}"]))
    assert store.manifest() == b"{}"
    assert store.names(".progress") == []
