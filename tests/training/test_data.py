"""The fixed splits of training images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.small import DATA, pixels
from training import data, sources
from training.data import DataSet, Images, load_data


def numbered(counts: list[int], seed: int) -> Images:
    """Images that differ, of as many classes as counts."""
    images = np.zeros((sum(counts), 28, 28), np.uint8)
    images[:, 0, :4] = np.arange(len(images), dtype="<u4")[:, None].view(np.uint8)
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    return Images(torch.from_numpy(images), torch.from_numpy(labels), tuple(map(str, range(len(counts)))), "numbered")


@given(st.lists(st.tuples(st.integers(10, 90), st.integers(1, 60)), min_size=1, max_size=6), st.integers(0, 9))
def test_splits_are_stratified_and_disjoint(counts: list[tuple[int, int]], seed: int) -> None:
    train, test = (numbered(list(part), seed) for part in zip(*counts, strict=True))
    found = DataSet(train, test)
    assert sorted(pixels(found.training_split) + pixels(found.validation)) == sorted(pixels(train))
    assert sorted(pixels(found.seen) + pixels(found.unseen)) == sorted(pixels(train))
    assert set(pixels(found.validation)) <= set(pixels(found.unseen))
    validation = -(-train.counts() // 10)
    assert torch.equal(found.validation.counts(), validation)
    proportional = test.counts() * (len(train) / 6 / len(test))
    expected = torch.maximum(validation, torch.minimum(proportional, train.counts()))
    assert (found.unseen.counts() - expected).abs().max() <= 0.5


def test_mnist_is_recognised_and_has_the_split_of_the_bundled_models(monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = load_data(DATA).sha256
    monkeypatch.setattr(data, "MNIST_SHA256", sha256)
    monkeypatch.setitem(sources.NAMED, "mnist", sources.NAMED["mnist"]._replace(sha256=sha256))
    found = load_data(DATA)
    assert (found.name, found.licence, found.classes) == ("mnist", "CC BY-SA 3.0", tuple("0123456789"))
    assert (len(found.validation), len(found.training_split)) == (51, 461)
    images = pixels(found.train)
    assert [images.index(image) for image in pixels(found.validation)[:5]] == [162, 185, 322, 431, 318]
