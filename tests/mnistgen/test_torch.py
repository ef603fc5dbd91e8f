"""mnistgen.torch with PyTorch's DataLoader."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnistgen
from tests.mnistgen.conftest import near

torch = pytest.importorskip("torch")
DataLoader = pytest.importorskip("torch.utils.data").DataLoader
v2 = pytest.importorskip("torchvision.transforms.v2")


class TestDigits:
    def test_items_match_sample(self) -> None:
        digits = mnistgen.torch.Digits(20, seed=3, start=7)
        images, labels = mnistgen.generate(20, seed=3, start=7, return_labels=True)
        items = [digits[index] for index in (*range(20), -1)]
        assert [label for _, label in items] == [*labels.tolist(), labels[-1]]
        assert near(np.stack([(image[0] * 255).round().byte().numpy() for image, _ in items[:20]]), images)
        assert items[0][0].dtype == torch.float32
        assert items[0][0].shape == (1, 28, 28)

    @pytest.mark.parametrize("workers", [0, 2])
    def test_workers_and_shuffling(self, workers: int) -> None:
        digits = mnistgen.torch.Digits(50, seed=3)
        mixed = torch.Generator().manual_seed(0)
        loader = DataLoader(
            digits, batch_size=8, shuffle=True, generator=mixed, num_workers=workers, multiprocessing_context=None
        )
        seen = [
            (image.numpy().tobytes(), int(label))
            for images, labels in loader
            for image, label in zip(images, labels, strict=True)
        ]
        assert sorted(seen) == sorted(
            (image.numpy().tobytes(), label) for image, label in (digits[i] for i in range(50))
        )

    def test_torchvision_transforms_receive_pillow_images(self) -> None:
        seen: list[object] = []
        resize = v2.Compose([v2.ToImage(), v2.Resize(32)])

        def transform(image: Image.Image) -> object:
            seen.append(image)
            return resize(image)

        image, _ = mnistgen.torch.Digits(1, seed=3, transform=transform)[0]
        assert image.shape == (1, 32, 32)
        assert [type(it) for it in seen] == [Image.Image]

    def test_pickling_by_name(self) -> None:
        digits = mnistgen.torch.Digits(3)
        content = pickle.dumps(digits)
        assert b"site-packages" not in content
        assert b"models" not in content
        copy = pickle.loads(content)  # noqa: S301 - our own bytes
        assert torch.equal(copy[2][0], digits[2][0])
        assert len(copy) == 3

    @pytest.mark.parametrize("index", [3, -4])
    def test_index_out_of_range(self, index: int) -> None:
        with pytest.raises(IndexError, match=f"expected an index from 0 to 2, got {index}"):
            mnistgen.torch.Digits(3, seed=1)[index]

    def test_invalid_arguments(self, unconditional_model: Path) -> None:
        with pytest.raises(mnistgen.InputError, match="labels: model small is unconditional"):
            mnistgen.torch.Digits(3, model=unconditional_model)
        with pytest.raises(mnistgen.InputError, match="n: expected a whole number, 1 or more, got 0"):
            mnistgen.torch.Digits(0)
        with pytest.raises(
            TypeError, match=r"Digits\(\) got an unexpected keyword argument 'tranform'; did you mean 'transform'"
        ):
            mnistgen.torch.Digits(3, tranform=None)  # type: ignore[call-arg]


class TestEndlessDigits:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_each_digit_is_yielded_once(self, workers: int) -> None:
        loader = DataLoader(mnistgen.torch.EndlessDigits(seed=3, start=5), batch_size=64, num_workers=workers)
        batches = list(itertools.islice(loader, 16))  # two blocks per worker
        images = torch.cat([images for images, _ in batches])
        labels = torch.cat([labels for _, labels in batches])
        expected = mnistgen.generate(1024, seed=3, start=5, return_labels=True)
        ours = sorted(zip(images.numpy().reshape(1024, -1).round(4).tolist(), labels.tolist(), strict=True))
        theirs = sorted(
            zip(
                (expected.images.reshape(1024, -1) / np.float32(255)).round(4).tolist(),
                expected.labels.tolist(),
                strict=True,
            )
        )
        assert ours == theirs
