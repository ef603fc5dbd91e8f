"""Where images come from: named data sets, IDX files, .npz files and folders of pictures."""

import gzip
import hashlib
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track
from torchvision import datasets

from mnistgen._arrays import UInt8
from training.errors import DataError

Ink = Literal["light", "dark", "auto"]
# Of MNIST's training image file. The bundled models and judges were trained on it.
MNIST_SHA256 = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
ROOT = Path("data")  # of named data sets
SIDE = 28
UNREADABLE = 5  # files that a message names


class Part(NamedTuple):
    """Images uint8 (N, 28, 28) with labels (N,) of any type that sorts, or None."""

    images: UInt8
    labels: NDArray[Any] | None


class Source(NamedTuple):
    """What was read."""

    name: str
    train: Part
    test: Part | None = None
    classes: Sequence[str] | None = None  # names by label, where labels are numbers; None: the labels are the names
    licence: str | None = None


class Named(NamedTuple):
    """A data set that torchvision downloads."""

    load: Callable[..., Any]
    licence: str | None = None
    sha256: str = ""  # of the training image file, by which a folder with the same file is recognised
    transposed: bool = False


NAMED: dict[str, Named] = {
    "mnist": Named(datasets.MNIST, "CC BY-SA 3.0", MNIST_SHA256),
    "fashion-mnist": Named(
        datasets.FashionMNIST, "MIT", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "kmnist": Named(datasets.KMNIST, "CC BY-SA 4.0"),
    "qmnist": Named(datasets.QMNIST, "BSD-3-Clause"),
    **{
        f"emnist-{split}": Named(lambda *a, split=split, **k: datasets.EMNIST(*a, split=split, **k), transposed=True)
        for split in ("digits", "letters", "balanced")
    },
}


def read(source: str, ink: Ink = "auto") -> Source:
    """Read a data set: a name of NAMED, below data/; a folder of IDX files or of pictures; or an .npz file.

    A folder of pictures has a folder per class, or the pictures themselves, in which case there are no labels; both may
    be in folders `train` and `test`. Raises DataError if it cannot be read.
    """
    path = Path(source)
    if source in NAMED:
        found = _named(source)
    elif path.suffix == ".npz" and path.is_file():
        found = _npz(path)
    elif path.is_dir() and len(archives := list(path.glob("*.npz"))) == 1:
        found = _npz(archives[0])
    elif path.is_dir():
        found = _idx(path) or _pictures(path)
    else:
        raise DataError(f"{source}: neither one of {', '.join(NAMED)} nor a folder or an .npz file")
    if found.name in NAMED and found.licence is None and source != found.name:  # a folder that is only called so
        found = found._replace(name=f"own-{found.name}")
    return _with_light_ink(found, ink)


def _named(name: str) -> Source:
    """Load a data set below ROOT, as torchvision lays it out; download and check it if it is not there."""
    row = NAMED[name]
    try:
        parts = [row.load(ROOT, train=train, download=True) for train in (True, False)]
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataError(
            f"{name}: not found in {ROOT}, and the download failed ({reason}); "
            "pass the folder that holds its IDX files with --data"
        ) from None
    arrays = []
    for part in parts:
        images, labels = part.data.numpy(), part.targets.numpy()
        images = np.ascontiguousarray(images.swapaxes(1, 2)) if row.transposed else images
        arrays.append(Part(images, labels[:, 0] if labels.ndim == 2 else labels))  # QMNIST has further columns
    train, test = arrays
    return Source(name, train, test, _class_names(parts[0].classes), row.licence)


def _class_names(classes: Sequence[str]) -> list[str]:
    """The names of torchvision's classes, without the words that it adds to digits: "7 - seven"."""
    return [name.partition(" - ")[0] for name in classes]


# --- IDX --------------------------------------------------------------------------------------------------------------


def idx_header(*shape: int) -> bytes:
    """Two zero bytes, type 8 (uint8), the number of dimensions, then each dimension as a big-endian uint32."""
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


def _idx(folder: Path) -> Source | None:
    """The IDX files in a folder, at any depth, plain or gzipped; None if there are none."""
    files = {split: _idx_files(folder, split) for split in ("train", "t10k", "test")}
    if files["train"] is None:
        return None
    train, test = _idx_part(*files["train"]), files["t10k"] or files["test"]
    name, licence, classes = folder.resolve().name, None, _names_beside(folder)
    digest = hashlib.sha256(idx_header(*train.images.shape) + train.images.tobytes()).hexdigest()
    for known, row in NAMED.items():
        if row.sha256 == digest:
            name, licence, classes = known, row.licence, _class_names(row.load.classes)  # type: ignore[attr-defined]
    return Source(name, train, _idx_part(*test) if test else None, classes, licence)


def _idx_files(folder: Path, split: str) -> tuple[Path, Path | None] | None:
    """The image and the label file of a split. Raises DataError if there are several."""
    images, labels = (
        sorted({path.with_name(path.name.removesuffix(".gz")): path for path in found if path.is_file()}.values())
        for found in (folder.rglob(f"*{split}-images*idx3*"), folder.rglob(f"*{split}-labels*idx1*"))
    )
    if len(images) > 1:
        raise DataError(f"{folder}: expected one data set, got {images[0]} and {images[1]}; pass its own folder")
    return (images[0], labels[0] if labels else None) if images else None


def _idx_part(images: Path, labels: Path | None) -> Part:
    pixels = _read_idx(images)
    if images.name.startswith("emnist"):  # whose files are transposed
        pixels = np.ascontiguousarray(pixels.swapaxes(1, 2))
    return _part(pixels, None if labels is None else _read_idx(labels), images)


def _read_idx(path: Path) -> UInt8:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        shape = struct.unpack_from(f">{content[3]}I", content, 4)
        if content[: 4 + 4 * len(shape)] != idx_header(*shape):
            raise ValueError("its type is not uint8")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()
    except (EOFError, IndexError, ValueError, gzip.BadGzipFile, struct.error, zlib.error) as error:
        raise DataError(f"{path}: not a whole IDX file of unsigned bytes ({error}); copy it again") from None


# --- .npz -------------------------------------------------------------------------------------------------------------


def _npz(path: Path) -> Source:
    """Arrays x_train, y_train and, where present, x_test and y_test, as in Keras' mnist.npz."""
    try:
        with path.open("rb") as file, np.load(file) as archive:  # NumPy leaves damaged files open
            arrays = {name: archive[name] for name in ("x_train", "y_train", "x_test", "y_test") if name in archive}
    except (OSError, ValueError, EOFError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if "x_train" not in arrays:
        raise DataError(f"{path}: expected arrays x_train, y_train and, if there is a test set, x_test, y_test")
    splits = [split for split in ("train", "test") if f"x_{split}" in arrays]
    parts = {split: _part(arrays[f"x_{split}"], arrays.get(f"y_{split}"), path) for split in splits}
    return Source(path.stem, parts["train"], parts.get("test"), _names_beside(path.parent))


def _part(images: NDArray[Any], labels: NDArray[Any] | None, path: Path) -> Part:
    """Check arrays. Raises DataError for other shapes or types."""
    if images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8 or not len(images):
        raise DataError(
            f"{path}: expected grey images uint8 (N, {SIDE}, {SIDE}), got {images.dtype} {images.shape}; "
            "a folder of pictures may have any size and colours"
        )
    if labels is not None and labels.dtype.kind == "S":
        labels = labels.astype(str)
    if labels is not None and labels.shape != (len(images),):
        raise DataError(f"{path}: expected a label for each of the {len(images)} images, got {labels.shape}")
    return Part(images, labels)


def _names_beside(folder: Path) -> list[str] | None:
    """The class names in classes.txt, one a line, which `mnistgen dataset` writes."""
    path = folder / "classes.txt"
    return path.read_text("utf-8").splitlines() if path.is_file() else None


# --- folders of pictures ----------------------------------------------------------------------------------------------


def _pictures(folder: Path) -> Source:
    endings = Image.registered_extensions()
    folders = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    if "train" in folders and (others := folders - {"train", "test"}):
        raise DataError(
            f"{folder}: expected folders train and test, or one a class, got also {', '.join(sorted(others))}"
        )
    splits = ("train", "test") if "test" in folders else ("train",)
    parts = {}
    for split in splits:
        root = folder / split if "test" in folders or folders == {"train"} else folder
        hidden = root.rglob(".*")  # such as .ipynb_checkpoints, and ._1.jpg of macOS
        found = {path for path in root.rglob("*") if path.suffix.lower() in endings}
        files = sorted(found.difference(*({path, *path.rglob("*")} for path in hidden)))
        if not files:
            raise DataError(f"{root}: expected IDX files or pictures, one folder a class, found neither")
        names = {path.relative_to(root).parts[0] for path in files if path.parent != root}
        if names and (stray := [path for path in files if path.parent == root]):
            raise DataError(f"{stray[0]}: expected all pictures in the folders of their classes, or none; move it")
        labels = np.array([path.relative_to(root).parts[0] for path in files]) if names else None
        parts[split] = Part(_read_pictures(files), labels)
    return Source(folder.resolve().name, parts["train"], parts.get("test"))


def _read_pictures(files: Sequence[Path]) -> UInt8:
    """The pictures as images uint8 (N, 28, 28). Raises DataError that names those which cannot be read."""
    images, unreadable = np.zeros((len(files), SIDE, SIDE), np.uint8), []
    console = Console(stderr=True)
    shown = track(files, "reading pictures", console=console, transient=True, disable=not console.is_terminal)
    for index, path in enumerate(shown):
        try:
            with Image.open(path) as picture:
                images[index] = _normalise(picture)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            unreadable.append(path)
    if unreadable:
        others = f" and {len(unreadable) - UNREADABLE} more" if len(unreadable) > UNREADABLE else ""
        names = ", ".join(map(str, unreadable[:UNREADABLE]))
        raise DataError(f"no pictures, or damaged: {names}{others}; repair or remove them")
    return images


def _normalise(picture: Image.Image) -> UInt8:
    """Grey and 28x28, anti-aliased, with the aspect ratio kept; the rest is filled with the picture's own ground."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits
        picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    grey = picture.convert("L")
    if grey.size == (SIDE, SIDE):
        return np.asarray(grey)
    ground = int(np.median(_border(np.asarray(grey))))
    return np.asarray(ImageOps.pad(grey, (SIDE, SIDE), Image.Resampling.LANCZOS, color=ground))


def _border(image: UInt8) -> UInt8:
    """The outermost pixels of images uint8 (..., H, W), flattened."""
    edges = image[..., 0, :], image[..., -1, :], image[..., :, 0], image[..., :, -1]
    return np.concatenate([edge.reshape(-1) for edge in edges])


def _with_light_ink(found: Source, ink: Ink) -> Source:
    """Invert images with dark ink on a light ground, as `ink` says or as their borders show."""
    dark = np.median(_border(found.train.images)) > 127 if ink == "auto" else ink == "dark"
    if not dark:
        return found
    if ink == "auto":
        warnings.warn(f"{found.name}: dark ink on a light ground; inverted (--ink light keeps it)", stacklevel=2)
    train = found.train._replace(images=255 - found.train.images)
    return found._replace(train=train, test=found.test and found.test._replace(images=255 - found.test.images))
