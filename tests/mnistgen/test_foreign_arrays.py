"""Arrays of other libraries: as latents, labels, digits and images."""

from pathlib import Path

import numpy as np
import pytest

import mnistgen
from mnistgen._latents import draw
from tests.mnistgen.conftest import near

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")


def test_latents_and_labels(generator: mnistgen.Generator) -> None:
    latents, labels = draw(1, 0, 3, generator.card.latent_dim)
    images = generator.decode(latents, labels)
    for many in (latents.astype(np.float64), latents.tolist(), torch.from_numpy(latents), pd.DataFrame(latents)):
        for named in (labels.tolist(), labels.astype(np.uint8), torch.from_numpy(labels), pd.Series(labels)):
            assert near(generator.decode(many, named), images)
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(labels), 10)
    assert near(generator.decode(latents, one_hot), images)
    assert near(generator.decode(latents[0], labels[0]), images[:1])


def test_digits(generator: mnistgen.Generator) -> None:
    for digits in (torch.tensor([4, 2]), pd.Series([4, 2]), np.array([4, 2])):
        assert generator.sample_labelled(3, digit=digits).labels.tolist() == [4, 2, 4]
    assert generator.sample_labelled(digit=torch.tensor(7)).labels.tolist() == [7]


def test_images(tmp_path: Path) -> None:
    images = mnistgen.generate(3, seed=1)
    tensor = torch.from_numpy(images)
    assert np.array_equal(mnistgen.measure(tensor), mnistgen.measure(images))
    assert np.array_equal(mnistgen.grid(tensor), mnistgen.grid(images))
    assert np.array_equal(mnistgen.imitate(tensor, "7"), mnistgen.imitate(images, "7"))
    generator = mnistgen.Generator(device="cpu")
    assert np.array_equal(generator.encode(tensor).latents, generator.encode(images).latents)
    mnistgen.save(tmp_path / "images.npy", tensor)
    assert np.array_equal(np.load(tmp_path / "images.npy"), images)


def test_tensors_that_numpy_cannot_read(generator: mnistgen.Generator) -> None:
    latents = torch.zeros((2, 10), requires_grad=True)
    with pytest.raises(mnistgen.InputError, match=r"latents: expected float .* cannot convert: .*detach"):
        generator.decode(latents, [1, 2])
