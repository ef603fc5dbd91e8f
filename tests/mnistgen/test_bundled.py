"""The bundled models generate the digits that were recorded at their release.

python -m tests.mnistgen.test_bundled records them anew, after a model was trained again.
"""

from pathlib import Path

import numpy as np
import pytest

import mnistgen
from mnistgen._arrays import UInt8
from mnistgen._latents import draw
from tests.conftest import RunCli

REFERENCES = Path(__file__).resolve().parents[1] / "references"
COUNT, SEED, START = 16, 1, 1000
bundled = pytest.mark.parametrize("name", mnistgen.models())


def assert_near(images: UInt8, name: str) -> None:
    reference = np.load(REFERENCES / f"{name}.npy")
    assert images.shape == reference.shape
    assert np.abs(images.astype(int) - reference).max() <= 1


@bundled
def test_every_entry_point_matches_the_references(name: str, run_cli: RunCli, tmp_path: Path) -> None:
    for threads in (1, 2):
        assert_near(mnistgen.Generator(name, threads=threads).sample(COUNT, seed=SEED, start=START), name)
    generator = mnistgen.Generator(Path(mnistgen.__file__).parent / "models" / name)
    latents, labels = draw(SEED, START, COUNT, generator.card.latent_dim)
    assert_near(generator.decode(latents, labels if generator.card.conditional else None), name)
    assert_near(np.concatenate(list(generator.stream(COUNT, seed=SEED, start=START, batch_size=5))), name)
    assert_near(mnistgen.generate(COUNT, seed=SEED, start=START, model=name), name)
    assert_near(mnistgen.generate(START + COUNT, seed=SEED, model=name)[START:], name)
    out = tmp_path / "digits.npy"
    assert run_cli("sample", "--model", name, "--n", START + COUNT, "--seed", SEED, "--out", out).code == 0
    assert_near(np.load(out)[START:], name)


@bundled
def test_statistics_resemble_mnist(name: str) -> None:
    """The mean and the mean standard deviation of 500 digits; in MNIST's training images 0.131 and 0.20."""
    images = mnistgen.generate(500, seed=2, model=name) / 255
    assert 0.08 < images.mean() < 0.18
    assert images.std(axis=0).mean() > 0.14
    assert (images < 0.05).mean() > 0.6


def record() -> None:
    """Record the references."""
    for name in mnistgen.models():
        np.save(REFERENCES / f"{name}.npy", mnistgen.generate(COUNT, seed=SEED, start=START, model=name))


if __name__ == "__main__":
    record()
