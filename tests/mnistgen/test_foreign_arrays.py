"""Latents, labels and digits from other libraries."""

import numpy as np
import pytest

import mnistgen
from mnistgen._latents import draw
from tests.mnistgen.conftest import near

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")


def test_array_likes(generator: mnistgen.Generator) -> None:
    latents, labels = draw(1, 0, 3, generator.card.latent_dim)
    images = generator.decode(latents, labels)
    for many in (latents.astype(np.float64), latents.tolist(), torch.from_numpy(latents), pd.DataFrame(latents)):
        for named in (labels.tolist(), labels.astype(np.uint8), torch.from_numpy(labels), pd.Series(labels)):
            assert near(generator.decode(many, named), images)
    assert near(generator.decode(latents[0], labels[0]), images[:1])
    mixture = np.eye(10)[labels[0]]
    assert near(generator.decode(latents, mixture), generator.decode(latents, int(labels[0])))


def test_digits_as_array_likes(generator: mnistgen.Generator) -> None:
    for digits in (torch.tensor([4, 2]), pd.Series([4, 2]), np.array([4, 2])):
        assert generator.sample(3, digit=digits, return_labels=True).labels.tolist() == [4, 2, 4]
    assert generator.sample(digit=torch.tensor(7), return_labels=True).labels.tolist() == [7]
