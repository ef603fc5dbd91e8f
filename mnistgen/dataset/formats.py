"""FORMATS: one writer per format. It gets the batches of a split in order, and writes files into a folder.

Sources: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database" (IDX); NumPy Enhancement Proposal 1 (NPY).
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen._errors import DependencyError
from mnistgen._model import DIGITS
from mnistgen._pictures import png_bytes
from mnistgen.dataset.plan import SPLITS, Batch, Plan


def _write_idx(folder: Path, plan: Plan, split: str, batches: Iterator[Batch]) -> None:
    """MNIST/raw/PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, as torchvision.datasets.MNIST reads them."""
    raw, prefix = folder / "MNIST" / "raw", "train" if split == "train" else "t10k"
    raw.mkdir(parents=True, exist_ok=True)
    count = len(plan.ranges()[split])
    images, labels = raw / f"{prefix}-images-idx3-ubyte", raw / f"{prefix}-labels-idx1-ubyte"
    with images.open("wb") as image_file, labels.open("wb") as label_file:
        image_file.write(_idx_header(count, 28, 28))
        label_file.write(_idx_header(count))
        for batch in _with_table(folder, plan, split, batches):
            image_file.write(batch.images.data)
            label_file.write(batch.labels.data)


def _idx_header(*shape: int) -> bytes:
    """Two zeros, 8 for unsigned bytes, the number of dimensions, and each size as big-endian 32 bits."""
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def _write_npz(folder: Path, plan: Plan, split: str, batches: Iterator[Batch]) -> None:
    """mnist.npz with the arrays of keras.datasets.mnist, and attributes; uncompressed: the same bytes with any zlib."""
    count = len(plan.ranges()[split])
    others: dict[str, list[bytes]] = {name: [] for name in ("y", *plan.columns())}
    with zipfile.ZipFile(folder / "mnist.npz", "a", zipfile.ZIP_STORED) as archive:

        def member(name: str, dtype: str, *shape: int) -> Any:
            file = archive.open(zipfile.ZipInfo(f"{name}_{split}.npy"), "w", force_zip64=True)
            header = {"descr": dtype, "fortran_order": False, "shape": (count, *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            return file

        with member("x", "|u1", 28, 28) as file:
            for batch in batches:
                file.write(batch.images.data)
                others["y"].append(batch.labels.tobytes())
                for name, values in batch.attributes.items():
                    others[name].append(values.astype("<f4").tobytes())
        for name, parts in others.items():
            with member(name, "|u1" if name == "y" else "<f4") as file:
                file.writelines(parts)


def _write_png(folder: Path, plan: Plan, split: str, batches: Iterator[Batch]) -> None:
    """SPLIT/CLASS/INDEX.png, as torchvision.datasets.ImageFolder reads them, which record what determines them."""
    names = [re.sub(r"[^\w -]", "_", name) for name in plan.classes]  # without what file systems refuse
    if len({name.casefold() for name in names}) < len(names):  # the same to some file systems
        names = [f"{number}-{name}" for number, name in enumerate(names)]
    folders = [folder / split / name for name in names]
    for path, weight in zip(folders, plan.request.weights, strict=True):
        if weight:
            path.mkdir(parents=True)
    card = plan.request.card
    record = {"model": card.name, "sha256": card.sha256, "seed": plan.request.seed}
    for batch in _with_table(folder, plan, split, batches):
        for index, image, label, values in batch.rows():
            path = folders[label] / f"{index:012}.png"
            path.write_bytes(png_bytes(image, {**record, "start": SPLITS[split] + index, "label": label, **values}))


def _with_table(folder: Path, plan: Plan, split: str, batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches, whose attributes, if any, are written to attributes-SPLIT.csv on the way."""
    columns = plan.columns()
    if not columns:
        yield from batches
        return
    with (folder / f"attributes-{split}.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["index", "label", *columns])
        for batch in batches:
            table.writerows(
                [index, label, *(f"{values[name]:.6f}" for name in columns)] for index, _, label, values in batch.rows()
            )
            yield batch


def _shards(plan: Plan, batches: Iterable[Batch]) -> Iterator[tuple[int, list[Batch]]]:
    """The batches of each shard, with the shard's number in its split."""
    for number, group in itertools.groupby(batches, lambda batch: batch.first // plan.shard_size):
        yield number, list(group)


def _write_webdataset(folder: Path, plan: Plan, split: str, batches: Iterator[Batch]) -> None:
    """SPLIT-NUMBER.tar, as webdataset reads them, with INDEX.png, INDEX.cls and, for attributes, INDEX.json."""
    for number, shard in _shards(plan, batches):
        with tarfile.open(folder / f"{split}-{number:06}.tar", "w", format=tarfile.USTAR_FORMAT) as file:
            for index, image, label, values in itertools.chain.from_iterable(batch.rows() for batch in shard):
                files = {"png": png_bytes(image), "cls": b"%d" % label}
                if values:
                    files["json"] = json.dumps(values).encode()
                for ending, content in files.items():
                    entry = tarfile.TarInfo(f"{index:012}.{ending}")  # without owner, dated 1970
                    entry.size = len(content)
                    file.addfile(entry, io.BytesIO(content))


def _write_parquet(folder: Path, plan: Plan, split: str, batches: Iterator[Batch]) -> None:
    """data/SPLIT-NUMBER-of-TOTAL.parquet, with the columns of MNIST on the Hugging Face Hub, and README.md."""
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise DependencyError("format parquet: needs pyarrow; pip install pyarrow") from None
    _write_readme(folder, plan)
    label = {"names": list(plan.classes), "_type": "ClassLabel"}
    values = {name: {"dtype": "float32", "_type": "Value"} for name in plan.columns()}
    features = {"image": {"_type": "Image"}, "label": label, **values}  # for the Hugging Face libraries
    schema = arrow.schema(
        {"image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()}), "label": arrow.int64()}
        | dict.fromkeys(plan.columns(), arrow.float32()),
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    (folder / "data").mkdir(exist_ok=True)
    total = -(-plan.ranges()[split].stop // plan.shard_size)
    for number, shard in _shards(plan, batches):
        columns = {
            "image": [{"bytes": png_bytes(image), "path": None} for batch in shard for image in batch.images],
            "label": np.concatenate([batch.labels for batch in shard]).astype(np.int64),
            **{name: np.concatenate([batch.attributes[name] for batch in shard]) for name in plan.columns()},
        }
        name = f"{split}-{number:05}-of-{total:05}.parquet"
        parquet.write_table(arrow.table(columns, schema=schema), folder / "data" / name)


def _write_readme(folder: Path, plan: Plan) -> None:
    """The README, which tells the Hugging Face Hub the files of each split."""
    names = [f"`{name}`" for name in ("image", "label", *plan.columns())]
    splits = "".join(map(README_SPLIT.format, plan.ranges()))
    columns = f"{', '.join(names[:-1])} and {names[-1]}"
    what, made = ("handwritten digits", "wrote") if plan.classes == DIGITS else (f"{len(plan.classes)} classes", "made")
    title = what.capitalize()
    text = README.format(splits=splits, columns=columns, what=what, made=made, title=title, **plan.arguments())
    (folder / "README.md").write_text(text, "utf-8", newline="\n")


README_SPLIT = """\
      - split: {0}
        path: data/{0}-*
"""
README = """\
---
license: mit
task_categories:
  - image-classification
tags:
  - mnist
  - synthetic
configs:
  - config_name: default
    data_files:
{splits}---

# {title} generated by mnistgen

Generated images of {what}, 28x28, grey. Nobody {made} them: the model `{model}` of mnistgen {mnistgen}
generated them from seed {seed}.

Columns: {columns}.
"""

# Each writes a split into a folder.
FORMATS: Mapping[str, Callable[[Path, Plan, str, Iterator[Batch]], None]] = {
    "idx": _write_idx,
    "npz": _write_npz,
    "png": _write_png,
    "parquet": _write_parquet,
    "webdataset": _write_webdataset,
}
