"""Loading, validation and splits of MNIST."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.small import DATA, FILES
from training import data
from training.data import Digits, load_mnist
from training.errors import DataError

CPU = torch.device("cpu")
IMAGES = "train-images-idx3-ubyte"
VALIDATION = [162, 185, 322, 431, 318]  # indices, among the 512 digits, of the first ones of the validation split


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(DATA, tmp_path / "data")
    return tmp_path / "data"


def test_digits_match_files() -> None:
    mnist = load_mnist(DATA, CPU, FILES)
    digits = mnist.train
    assert (len(digits), len(mnist.test)) == (512, 128)
    assert (digits.images.dtype, tuple(digits.images.shape)) == (torch.uint8, (512, 28, 28))
    assert digits.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    content = (DATA / "MNIST" / "raw" / IMAGES).read_bytes()
    assert digits.images.numpy().tobytes() == content[16:]
    assert digits.sha256 == hashlib.sha256(content).hexdigest()


class TestSplit:
    def test_validation_and_training_split_are_complementary(self) -> None:
        mnist = load_mnist(DATA, CPU, FILES)
        assert (len(mnist.validation), len(mnist.training_split)) == (51, 461)
        assert images(mnist.validation) | images(mnist.training_split) == images(mnist.train)

    def test_seen_and_unseen_are_complementary(self) -> None:
        mnist = load_mnist(DATA, CPU, FILES)
        assert not images(mnist.seen) & images(mnist.unseen)
        assert len(mnist.seen) + len(mnist.unseen) == 512

    def test_unseen_has_class_proportions_of_test_set(self) -> None:
        mnist = load_mnist(DATA, CPU, FILES)
        expected = mnist.test.counts() * (512 / 6 / 128)
        assert (mnist.unseen.counts() - expected).abs().max() <= 0.5

    def test_split_is_fixed(self) -> None:
        mnist = load_mnist(DATA, CPU, FILES)
        indices = [
            int((mnist.train.images == image).flatten(1).all(1).nonzero()) for image in mnist.validation.images[:5]
        ]
        assert indices == VALIDATION


def images(digits: Digits) -> set[bytes]:
    return {image.numpy().tobytes() for image in digits.images}


@pytest.mark.parametrize("image_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_batches_have_requested_range(digits: Digits, image_range: tuple[float, float]) -> None:
    batch = digits.batch(torch.arange(512), image_range)
    assert (batch.dtype, tuple(batch.shape)) == (torch.float32, (512, 1, 28, 28))
    assert (float(batch.min()), float(batch.max())) == pytest.approx(image_range, abs=1e-6)
    low, high = image_range
    pixels = ((batch.squeeze(1).numpy() - low) / (high - low) * 255).round().astype(np.uint8)
    assert (pixels == digits.images.numpy()).all()


def test_mnist_files_have_published_sizes() -> None:
    assert [file.size for file in data.FILES] == [47_040_016, 60_008, 7_840_016, 10_008]
    assert data.FILES[0].header == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "expected 401,424 bytes, got 401,423"),
        (lambda content: content + b"\0", "expected 401,424 bytes, got 401,425"),
        (lambda content: content[:-1] + b"\x01", "expected SHA-256 "),
        (lambda content: b"\0\0\x08\x01" + content[4:], "expected the IDX header "),
        (lambda content: b"\x1f\x8b" + content, "expected the IDX header "),
        (lambda content: b"", "got nothing"),
    ],
)
def test_damaged_files_raise(root: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    path = root / "MNIST" / "raw" / IMAGES
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as error:
        load_mnist(root, CPU, FILES)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


def test_other_data_set_raises() -> None:
    with pytest.raises(DataError, match="train-images-idx3-ubyte: expected the IDX header"):
        load_mnist(DATA, CPU)


def test_failed_download_lists_required_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nno route to host")

    monkeypatch.setattr(data, "MNIST", offline)
    with pytest.raises(DataError) as error:
        load_mnist(tmp_path, CPU)
    message = str(error.value)
    assert f"not found in {tmp_path / 'MNIST' / 'raw'}, and the download failed (no route to host)" in message
    for file in data.FILES:
        assert f"{file.name} ({file.size:,} bytes, SHA-256 {file.sha256})" in message
    assert "\n" not in message


def test_pickled_copy_raises(root: Path) -> None:
    (root / "MNIST" / "processed").mkdir()
    with pytest.raises(DataError, match="remove it"):
        load_mnist(root, CPU, FILES)
