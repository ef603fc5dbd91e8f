"""Formats in which every task writes files of its own: PNG folders, Parquet, WebDataset."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from mnistgen._arrays import UInt8
from mnistgen._dataset.format import Digits, Format, attribute_columns, csv_header, csv_rows
from mnistgen._dataset.plan import SPLITS, Piece, Plan, Task
from mnistgen._dataset.store import Store
from mnistgen._drawing import Provenance
from mnistgen._errors import DependencyError
from mnistgen._picture_files import write_png
from mnistgen.drawings import Digit

# Metadata that tells the Hugging Face libraries that bytes are images and integers are class labels.
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": [str(digit) for digit in range(10)], "_type": "ClassLabel"},
}
ATTRIBUTE = {"dtype": "float32", "_type": "Value"}


class Png(Format):
    """One folder per class."""

    task_size = 2000
    summary = "one PNG per digit in one folder per class, as torchvision.datasets.ImageFolder reads them"
    names = re.compile(r"(train|test)/[0-9]/[0-9]{12,19}\.png|attributes/(train|test)-[0-9]{6,19}\.csv")

    def write(self, plan: Plan, task: Task, digits: Digits) -> Iterator[Piece]:
        """SPLIT/CLASS/INDEX.png, with text fields from which `mnistgen.reproduce` regenerates it.

        If attributes are requested, also attributes/SPLIT-NUMBER.csv.
        """
        if plan.attributes:
            table = csv_header(plan) + csv_rows(plan, task, digits)
            yield Piece(f"attributes/{task.split}-{task.part:06}.csv", table)
        for row, (index, image, label) in enumerate(_numbered(task, digits)):
            values: dict[str, Any] = {name: digits.attributes[f"requested_{name}"][row] for name in plan.attributes}
            drawing = Digit(
                seed=plan.seed,
                start=SPLITS[task.split] + index,
                label=label,
                style=plan.style,
                spread=plan.spread,
                **values,
            )
            made = Provenance(drawing=drawing, model=plan.model, sha256=plan.model_sha256, version=plan.version)
            yield Piece(f"{task.split}/{label}/{index:012}.png", png(image, made.fields()))


class WebDataset(Format):
    """Numbered tar files with a .png and a .cls file per digit, and a .json file if attributes are requested."""

    summary = "numbered tar files, as the webdataset package reads them"
    names = re.compile(r"(train|test)-[0-9]{6,19}\.tar")

    def write(self, plan: Plan, task: Task, digits: Digits) -> Iterator[Piece]:
        """SPLIT-NUMBER.tar."""
        shard = io.BytesIO()
        with tarfile.open(fileobj=shard, mode="w", format=tarfile.USTAR_FORMAT) as file:
            for row, (index, image, label) in enumerate(_numbered(task, digits)):
                files = {"png": png(image), "cls": b"%d" % label}
                if plan.attributes:
                    values = {name: float(column[row]) for name, column in digits.attributes.items()}
                    files["json"] = json.dumps(values).encode()
                for ending, content in files.items():
                    entry = tarfile.TarInfo(f"{index:012}.{ending}")  # without owner, dated 1970
                    entry.size = len(content)
                    file.addfile(entry, io.BytesIO(content))
        yield Piece(f"{task.split}-{task.part:06}.tar", shard.getvalue())


class Parquet(Format):
    """Numbered Parquet files with the columns of MNIST on the Hugging Face Hub."""

    summary = "Parquet files with the columns image and label, as datasets.load_dataset reads them"
    names = re.compile(r"(train|test)-[0-9]{6,19}\.parquet")
    folder = ""

    def check(self, plan: Plan, store: Store) -> None:
        """Raise DependencyError if pyarrow is not installed."""
        _pyarrow()

    def write(self, plan: Plan, task: Task, digits: Digits) -> Iterator[Piece]:
        """SPLIT-NUMBER.parquet."""
        arrow = _pyarrow()
        parquet = import_module("pyarrow.parquet")
        structs = [{"bytes": png(image), "path": None} for image in digits.images]
        names = attribute_columns(plan)
        features = FEATURES | dict.fromkeys(names, ATTRIBUTE)
        schema = arrow.schema(
            {"image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()}), "label": arrow.int64()}
            | dict.fromkeys(names, arrow.float32()),
            metadata={"huggingface": json.dumps({"info": {"features": features}})},
        )
        columns = {"image": structs, "label": digits.labels.astype(np.int64), **digits.attributes}
        table = arrow.table(columns, schema=schema)
        shard = io.BytesIO()
        parquet.write_table(table, shard)
        yield Piece(f"{self.folder}{task.split}-{task.part:06}.parquet", shard.getvalue())


class HuggingFace(Parquet):
    """A repository for the Hugging Face Hub, ready to upload."""

    summary = "a folder for the Hugging Face Hub: Parquet files and a README that describes them"
    names = re.compile(r"README\.md|data/(train|test)-[0-9]{6,19}\.parquet")
    folder = "data/"

    def finish(self, plan: Plan, store: Store) -> Iterator[tuple[str, str]]:
        """Write the README, which tells the Hub the files of each split."""
        names = [f"`{name}`" for name in ("image", "label", *attribute_columns(plan))]
        columns = f"{', '.join(names[:-1])} and {names[-1]}"
        splits = "".join(map(README_SPLIT.format, plan.ranges()))
        content = README.format(plan=plan, splits=splits, columns=columns).encode()
        store.write(Piece("README.md", content))
        yield "README.md", hashlib.sha256(content).hexdigest()


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

# Handwritten digits drawn by mnistgen

Generated images of handwritten digits, 28x28, grey, with the columns {columns}. Nobody wrote them: the model
`{plan.model}` of mnistgen {plan.version} drew them from seed {plan.seed}.
"""


def _numbered(task: Task, digits: Digits) -> Iterator[tuple[int, UInt8, int]]:
    """Index in the split, image (28, 28) and label of each digit."""
    indices = range(task.first, task.first + task.count)
    yield from zip(indices, digits.images, digits.labels.tolist(), strict=True)


def png(image: UInt8, text: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a digit (28, 28) as a greyscale PNG with optional text fields."""
    file = io.BytesIO()
    write_png(file, image, text)
    return file.getvalue()


def _pyarrow() -> ModuleType:
    try:
        return import_module("pyarrow")
    except ImportError:
        raise DependencyError("format parquet: needs pyarrow; pip install pyarrow") from None
