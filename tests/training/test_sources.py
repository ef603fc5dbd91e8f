"""Every kind of data source, and what is said about data that cannot be trained on."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torchvision import datasets

import mnistgen
from mnistgen._arrays import UInt8
from tests.conftest import write_model
from tests.training.small import pixels
from training import sources
from training.data import load_data
from training.errors import DataError
from training.sources import Ink, idx_header, read

DIGITS = Path(__file__).resolve().parents[1] / "data"  # the first 512 and 128 images of MNIST
NAMES = ("cup", "hat", "key")
IMAGE = np.pad(np.random.default_rng(0).integers(0, 256, (26, 26), np.uint8), 1)  # with a black margin


def drawn(*counts: int, seed: int = 0) -> tuple[UInt8, NDArray[np.str_]]:
    """As many images as counts say of each class in NAMES, with a black margin, in random order, and their labels."""
    source = np.random.default_rng(seed)
    images = np.pad(source.integers(0, 256, (sum(counts), 26, 26), np.uint8), [(0, 0), (1, 1), (1, 1)])
    return images, source.permutation(np.repeat(NAMES[: len(counts)], counts))


def arrays(*counts: int, test: tuple[int, ...] = (30, 30, 30)) -> dict[str, Any]:
    """The arrays of an .npz file."""
    (x_train, y_train), (x_test, y_test) = drawn(*counts), drawn(*test, seed=1)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def npz(path: Path, content: dict[str, Any]) -> str:
    """Write an .npz file and return its path."""
    np.savez(path / "shapes.npz", **content)
    return str(path / "shapes.npz")


def error_of(source: str | Path) -> str:
    """The message for a source that cannot be loaded."""
    with pytest.raises(DataError) as error:
        load_data(str(source))
    assert "\n" not in str(error.value)
    return str(error.value)


# --- IDX and .npz -----------------------------------------------------------------------------------------------------


def test_idx_files_of_mnist() -> None:
    found = load_data(str(DIGITS))
    content = (DIGITS / "MNIST" / "raw" / "train-images-idx3-ubyte").read_bytes()
    assert (len(found.train), len(found.test), found.train.images.dtype) == (512, 128, torch.uint8)
    assert found.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert found.train.images.numpy().tobytes() == content[16:]
    entry = {"name": "data", "images": 512, "sha256": hashlib.sha256(content).hexdigest()}
    assert found.card_entry() == {**entry, "classes": list("0123456789"), "licence": None}


def test_idx_files_with_other_names_compressed_in_folders(tmp_path: Path) -> None:
    for path in DIGITS.rglob("*ubyte"):
        folder = tmp_path / "data" / path.name.replace("t10k", "test")
        folder.mkdir(parents=True)
        (folder / f"{folder.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    found, expected = load_data(str(tmp_path / "data")), load_data(str(DIGITS))
    assert found.card_entry() == expected.card_entry()
    assert torch.equal(found.train.labels, expected.train.labels)
    assert pixels(found.test) == pixels(expected.test)


def test_idx_files_of_emnist_are_transposed(tmp_path: Path) -> None:
    (tmp_path / "emnist-letters-train-images-idx3-ubyte").write_bytes(idx_header(1, 28, 28) + IMAGE.tobytes())
    assert np.array_equal(read(str(tmp_path)).train.images[0], IMAGE.T)


def test_npz_as_of_keras_with_dark_ink(tmp_path: Path) -> None:
    content = arrays(200, 300, 100)
    source = npz(tmp_path, {name: 255 - value if "x" in name else value for name, value in content.items()})
    with pytest.warns(UserWarning, match="^shapes: dark ink on a light ground; inverted "):
        found = load_data(source)
    assert (found.name, found.classes, found.licence) == ("shapes", NAMES, None)
    for images, split in ((found.train, "train"), (found.test, "test")):
        assert np.array_equal(images.images, content[f"x_{split}"])
        assert [NAMES[label] for label in images.labels] == content[f"y_{split}"].tolist()


def test_without_test_set_a_seventh_of_each_class_becomes_one(tmp_path: Path) -> None:
    images, labels = drawn(210, 350, 141)
    found = load_data(npz(tmp_path, {"x_train": images, "y_train": labels}))
    assert found.test.counts().tolist() == [30, 50, 21]
    assert sorted(pixels(found.train) + pixels(found.test)) == sorted(image.tobytes() for image in images)
    names = {image.tobytes(): name for image, name in zip(images, labels, strict=True)}
    assert [names[image] for image in pixels(found.test)] == [NAMES[label] for label in found.test.labels]


def test_unlabelled_images(tmp_path: Path) -> None:
    found = load_data(npz(tmp_path, {"x_train": drawn(700)[0]}))
    assert (found.classes, len(found.test), len(found.validation), len(found.training_split)) == ((), 100, 60, 540)
    assert not found.train.labels.any()


# --- what `mnistgen dataset` writes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "where"), [("idx", ""), ("npz", "mnist.npz"), ("png", "")])
@pytest.mark.parametrize("names", [("1", "7", "9"), NAMES])
def test_generated_data_sets_are_read_bit_for_bit(
    names: tuple[str, ...], form: str, where: str, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", classes=names) if names is NAMES else "digits"
    for name in ("npz", form):
        mnistgen.write_dataset(tmp_path / name, n=700, digits=names, format=name, model=model, seed=1, force=True)
    found = load_data(str(tmp_path / form / where), ink="light")
    assert found.classes == names
    with np.load(tmp_path / "npz" / "mnist.npz") as expected:
        for images, split in ((found.train, "train"), (found.test, "test")):
            order = np.argsort(expected[f"y_{split}"], kind="stable") if form == "png" else slice(None)
            assert np.array_equal(images.images, expected[f"x_{split}"][order])
            assert np.array_equal(images.labels, np.unique(expected[f"y_{split}"], return_inverse=True)[1][order])


def test_folders_of_generated_pictures(tmp_path: Path) -> None:
    mnistgen.write_dataset(tmp_path, n=700, test=0, format="png", seed=1)
    for folder in (tmp_path, tmp_path / "train"):  # classes in a folder `train`, classes
        found = load_data(str(folder))
        assert (found.name, found.classes) == (folder.name, tuple("0123456789"))
        assert (len(found.train), len(found.test)) == (597, 103)
    (tmp_path / "train" / "7" / "notes.txt").write_text("no picture")
    pictures = read(str(tmp_path / "train" / "7")).train  # no classes
    assert (len(pictures.images), pictures.labels) == (len(list(tmp_path.rglob("7/*.png"))), None)


# --- pictures ---------------------------------------------------------------------------------------------------------


def read_one(picture: Image.Image, folder: Path, **options: Any) -> UInt8:
    """Save a picture, and read the folder with it."""
    picture.save(folder / "picture.png", **options)
    image: UInt8 = read(str(folder)).train.images[0]
    return image


def test_other_sizes_keep_their_aspect_ratio_on_their_own_ground(tmp_path: Path) -> None:
    wide = np.full((42, 84), 60, np.uint8)
    wide[12:30, 21:63] = 255  # becomes 14 wide and 6 high
    image = read_one(Image.fromarray(wide), tmp_path).astype(int)
    assert abs(image[[0, 6, 21, 27]] - 60).max() <= 1
    ink = image > 150
    assert (ink.any(axis=0).sum(), ink.any(axis=1).sum()) == (14, 6)
    assert image.max() == 255


ROTATED = Image.Exif()
ROTATED[ExifTags.Base.Orientation] = 6  # to be rotated clockwise by 90 degrees, as some cameras note


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (Image.fromarray(IMAGE).convert("RGB"), {}),
        (Image.fromarray(IMAGE).convert("P"), {}),
        (Image.fromarray(IMAGE.astype(np.uint16) * 257), {}),
        (Image.fromarray(np.rot90(IMAGE)), {"exif": ROTATED}),
    ],
)
def test_pictures_in_other_modes(picture: Image.Image, options: dict[str, Any], tmp_path: Path) -> None:
    assert np.array_equal(read_one(picture, tmp_path, **options), IMAGE)


def test_transparent_ground_is_white(tmp_path: Path) -> None:
    black = Image.merge("LA", [Image.new("L", (28, 28)), Image.fromarray(IMAGE)])  # ink as opacity
    with pytest.warns(UserWarning, match="dark ink on a light ground; inverted"):
        assert np.array_equal(read_one(black, tmp_path), IMAGE)


@pytest.mark.parametrize("ink", ["light", "dark"])
@pytest.mark.parametrize("ground", [0, 255])
def test_ink_overrides_what_borders_show(ink: Ink, ground: int, tmp_path: Path) -> None:
    source = npz(tmp_path, {"x_train": np.full((600, 28, 28), ground, np.uint8)})
    assert load_data(source, ink=ink).train.images.unique().tolist() == [ground if ink == "light" else 255 - ground]


# --- named data sets --------------------------------------------------------------------------------------------------


def test_named_data_set_is_read_from_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ROOT", DIGITS)  # where torchvision finds the files, and downloads nothing
    named, files = load_data("mnist"), load_data(str(DIGITS))
    assert (named.name, named.licence, named.classes) == ("mnist", "CC BY-SA 3.0", files.classes)
    assert torch.equal(named.test.images, files.test.images)


class Fake:
    """A data set as of torchvision, with further columns of labels, as QMNIST has."""

    classes = ("N/A", "a", "b - bee")

    def __init__(self, root: Path, *, train: bool, download: bool, split: str = "") -> None:
        images, labels = drawn(300, 300, seed=train)
        self.data, self.targets = torch.from_numpy(images), torch.from_numpy((labels == NAMES[1]) + 1)
        if not split:
            self.targets = torch.stack([self.targets, self.targets * 7], dim=1)


def test_further_label_columns_of_qmnist_and_transposed_images_of_emnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.NAMED, "qmnist", sources.NAMED["qmnist"]._replace(load=Fake))
    monkeypatch.setattr(datasets, "EMNIST", Fake)
    qmnist, emnist = load_data("qmnist"), load_data("emnist-letters")
    for found in (qmnist, emnist):
        assert (found.classes, found.train.counts().tolist()) == (("a", "b"), [300, 300])
    assert np.array_equal(qmnist.train.images, drawn(300, 300, seed=1)[0])
    assert np.array_equal(emnist.train.images, drawn(300, 300, seed=1)[0].swapaxes(1, 2))


def test_failed_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nno route to host\n")

    monkeypatch.setitem(sources.NAMED, "kmnist", sources.NAMED["kmnist"]._replace(load=offline))
    message = (
        "kmnist: not found in data, and the download failed (no route to host); pass the folder that holds its IDX"
    )
    assert error_of("kmnist").startswith(message)


# --- errors -----------------------------------------------------------------------------------------------------------


LABELS = np.repeat(NAMES, 200)
BAD_ARRAYS: dict[str, dict[str, Any]] = {
    "expected at least 500 training images, got 499; add more": arrays(250, 249, test=(90,)),
    "expected two or more classes, got only 'cup'; for images without classes, ": arrays(600, test=(90,)),
    "expected at least 10 training images of each class, got 9 of 'hat'; add more, or ": arrays(600, 9, test=(90,)),
    "no training image has the label key of the test set": arrays(300, 300),
    "got uint8 (600, 32, 32); a folder of pictures": {"x_train": np.zeros((600, 32, 32), np.uint8)},
    "got uint8 (600, 28, 28, 3); a folder of pictures": {"x_train": np.zeros((600, 28, 28, 3), np.uint8)},
    "got uint8 (0, 28, 28); a folder of pictures": {"x_train": np.zeros((0, 28, 28), np.uint8)},
    "expected a label for each of the 600 images, got (599,)": arrays(300, 300) | {"y_train": LABELS[:599]},
    "expected arrays x_train, y_train and, if there is a test set, x_test, y_test": {"images": drawn(600)[0]},
    "cannot be read (Object arrays cannot be loaded ": arrays(200, 200, 200) | {"y_train": LABELS.astype(object)},
    "expected labels of both the training and the test images, or of neither": {
        name: value for name, value in arrays(200, 200, 200).items() if name != "y_test"
    },
}


@pytest.mark.parametrize("message", BAD_ARRAYS)
def test_arrays_that_cannot_be_trained_on(message: str, tmp_path: Path) -> None:
    source = npz(tmp_path, BAD_ARRAYS[message])
    error = error_of(source)
    assert error.startswith(f"{source}: ")
    assert message in error


IDX = idx_header(600, 28, 28) + bytes(600 * 784)
IDX_DAMAGE = [b"", IDX[:3], IDX[:-1], IDX + b"\0", b"\0\0\x0d" + IDX[3:]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("train-images-idx3-ubyte", content) for content in IDX_DAMAGE),
        *(
            ("train-images-idx3-ubyte.gz", content)
            for content in (IDX, gzip.compress(IDX, mtime=0)[:-9], gzip.compress(IDX, mtime=0)[:20] * 2)
        ),
        *(("shapes.npz", content) for content in (b"", b"PK", IDX)),
    ],
)
def test_damaged_files(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    message = error_of(tmp_path / name if name == "shapes.npz" else tmp_path)
    assert message.startswith(f"{tmp_path / name}: ")
    assert "cannot be read (" in message or "not a whole IDX file of unsigned bytes (" in message


def test_unreadable_pictures_are_named_up_to_five(tmp_path: Path) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "good.png")
    for number, content in enumerate([b"", b"GIF", *[(tmp_path / "good.png").read_bytes()[:200]] * 5]):
        (tmp_path / f"{number}.png").write_bytes(content)
    names = ", ".join(str(tmp_path / f"{number}.png") for number in range(5))
    assert error_of(tmp_path) == f"no pictures, or damaged: {names} and 2 more; repair or remove them"


def test_folder_without_images_and_unknown_name(tmp_path: Path) -> None:
    assert error_of(tmp_path) == f"{tmp_path}: expected IDX files or pictures, one folder a class, found neither"
    message = error_of("minst")
    assert message.startswith("minst: neither one of mnist, fashion-mnist, kmnist, qmnist, emnist-digits, ")
    assert message.endswith(" nor a folder or an .npz file")


def test_ambiguous_folders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train-images-idx3-ubyte").write_bytes(idx_header(0, 28, 28))
    assert "expected one data set, got " in error_of(tmp_path)
    (tmp_path / "pictures" / "cup").mkdir(parents=True)
    for path in (stray := tmp_path / "pictures" / "cup.png", tmp_path / "pictures" / "cup" / "1.png"):
        Image.fromarray(IMAGE).save(path)
    assert f"{stray}: expected all pictures in the folders of their classes" in error_of(tmp_path / "pictures")
    few = npz(tmp_path, {"x_train": drawn(600)[0], "y_train": np.arange(600) % 3})
    (tmp_path / "classes.txt").write_text("cup\nhat\n")
    assert "classes.txt of shapes: expected labels below its 2 lines, got 2" in error_of(few)
