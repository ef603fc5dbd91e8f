"""FORMATS: the formats of data sets, one row each."""

from collections.abc import Mapping

from mnistgen._checks import one_of
from mnistgen._dataset.arrays import Idx, Npz
from mnistgen._dataset.format import Format
from mnistgen._dataset.shards import HuggingFace, Parquet, Png, WebDataset

FORMATS: Mapping[str, Format] = {
    "idx": Idx(),
    "npz": Npz(),
    "png": Png(),
    "parquet": Parquet(),
    "webdataset": WebDataset(),
    "hf": HuggingFace(),
}


def format_named(name: str) -> Format:
    """The format of this name. Raises InputError if there is none."""
    return FORMATS[one_of("format", name, FORMATS)]
