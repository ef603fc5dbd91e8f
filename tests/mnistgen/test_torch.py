"""mnistgen.torch with PyTorch's DataLoader and torchvision's transforms."""

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mnistgen
from tests.mnistgen.conftest import near

torch = pytest.importorskip("torch")
DataLoader = pytest.importorskip("torch.utils.data").DataLoader
torchvision = pytest.importorskip("torchvision")
v2 = pytest.importorskip("torchvision.transforms.v2")


def pixels(images: Any) -> Any:
    """Tensors (N, 1, 28, 28) as uint8 (N, 28, 28)."""
    return (torch.stack(images)[:, 0] * 255).round().byte().numpy()


@pytest.mark.parametrize(
    "wanted",
    [
        {"n": 20, "start": 7},
        {"digit": [1, 2, 3], "n": 5, "truncation": 0.5},
        {"labels": [3, 1, 4]},
        {"n": 6, "slant": 0.2, "thickness": (2.0, 3.0)},
        {"n": 3, "width": [9.0, 10.0, 11.0]},
    ],
    ids=str,
)
def test_items_are_the_digits_of_the_seed(wanted: dict[str, Any]) -> None:
    digits = mnistgen.torch.Digits(seed=3, **wanted)
    images, labels = mnistgen.generate_labelled(seed=3, **wanted)
    items = [digits[index] for index in range(len(digits))]
    assert near(pixels([image for image, _ in items]), images)
    assert [label for _, label in items] == digits.targets.tolist() == labels.tolist()
    assert (digits[0][0].dtype, digits[0][0].shape) == (torch.float32, (1, 28, 28))
    assert torch.equal(digits[-1][0], items[-1][0])


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_and_shuffling(workers: int) -> None:
    digits = mnistgen.torch.Digits(50, seed=3)
    mixed = torch.Generator().manual_seed(0)
    loader = DataLoader(digits, batch_size=8, shuffle=True, generator=mixed, num_workers=workers)
    seen = [(image.numpy().tobytes(), int(label)) for batch in loader for image, label in zip(*batch, strict=True)]
    assert sorted(seen) == sorted(
        (image.numpy().tobytes(), label) for image, label in map(digits.__getitem__, range(50))
    )


def test_practically_endless() -> None:
    digits = mnistgen.torch.Digits(10**12, seed=1)
    assert len(digits) == 10**12
    image, label = digits[10**12 - 1]
    expected = mnistgen.generate_labelled(1, seed=1, start=10**12 - 1)
    assert near(pixels([image]), expected.images)
    assert label == expected.labels[0]
    with pytest.raises(mnistgen.InputError, match="n: expected a whole number, at most 10000000"):
        _ = digits.targets


def test_transforms_and_attributes_as_in_torchvision(tmp_path: Path) -> None:
    resize = v2.Compose([v2.ToImage(), v2.Resize(32)])
    digits = mnistgen.torch.Digits(2, seed=3, transform=resize, target_transform=lambda label: -label)
    image, target = digits[0]
    assert image.shape == (1, 32, 32)
    assert target == -digits.targets[0]
    assert mnistgen.torch.Digits(1, transform=type)[0][0] is Image.Image
    mnistgen.write_dataset(tmp_path / "data", n=2, test=1, seed=3)
    mnist = torchvision.datasets.MNIST(str(tmp_path / "data"))
    assert digits.targets.dtype == mnist.targets.dtype
    assert torch.equal(digits.targets, mnist.targets)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "mnistgen.torch", raising=False)
    with pytest.raises(mnistgen.DependencyError, match=r"mnistgen\.torch: needs PyTorch; pip install torch"):
        importlib.import_module("mnistgen.torch")


def test_pickled_by_name() -> None:
    digits = mnistgen.torch.Digits(3, slant=0.1)
    content = pickle.dumps(digits)
    assert b"site-packages" not in content
    copy = pickle.loads(content)  # noqa: S301 - our own bytes
    assert torch.equal(copy[2][0], digits[2][0])
    assert len(copy) == 3


def test_refused(unconditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError, match="labels: model small is unconditional"):
        mnistgen.torch.Digits(3, model=unconditional_model)
    with pytest.raises(mnistgen.InputError, match="n: expected a whole number, 1 or more, got 0"):
        mnistgen.torch.Digits(0)
    with pytest.raises(mnistgen.InputError, match="labels: expected whole numbers, got mixtures"):
        mnistgen.torch.Digits(labels=np.full((2, 10), 0.1))
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"expected an index from 0 to 2, got {index}"):
            mnistgen.torch.Digits(3, seed=1)[index]
