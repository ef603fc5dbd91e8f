"""Small untrained models and their model directories, with an attribute editor that is fitted quickly."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from export.build import build
from training.config import Network, Preset, Quantization
from training.fit import Phase
from training.model import Model
from training.networks import build_encoder, build_generator
from training.presets import PRESETS

LATENT_DIM = 6
LETTERS = ("A", "B", "C", "D")
ENCODER = Network("residual", {"channels": [4, 8], "hidden": 16})
NARROW: dict[str, dict[str, Any]] = {
    "mlp": {"widths": [16, 32]},
    "conv": {"layers": [[16, 7, 1, 0], [8, 4, 2, 1], [1, 4, 2, 1]]},
}


def small(name: str, *, quantization: Quantization | None = None) -> Preset:
    """A preset with few units and latents."""
    preset = PRESETS[name]
    network = Network(preset.network.architecture, preset.network.options | NARROW[preset.network.architecture])
    encoder = preset.encoder and dataclasses.replace(preset.encoder, network=ENCODER)
    return dataclasses.replace(
        preset, network=network, latent_dim=LATENT_DIM, encoder=encoder, quantization=quantization
    )


SMALL = {
    "conditional": small("digits"),
    "conv": small("conv"),
    "quantized": small("mlp-dropout", quantization=Quantization(calibration=700)),
}


def untrained(preset: Preset) -> Model:
    """A model of four letters with random weights and batch-norm statistics; with an encoder if it is conditional."""
    torch.manual_seed(0)
    generator = build_generator(preset.network, preset.latent_dim, len(LETTERS))
    for layer in generator.layers:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean = torch.empty_like(layer.weight.detach()).uniform_(-1, 1)
            layer.running_var = torch.empty_like(layer.weight.detach()).uniform_(0.1, 3)
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -1, 1)
    encoder = build_encoder(ENCODER, preset.latent_dim, len(LETTERS)) if generator.conditional else None
    data = {"name": "letters", "images": 400, "sha256": "ab", "classes": list(LETTERS), "licence": None}
    return Model(preset, generator.eval(), encoder, data, steps=12, seconds=1.0)


@pytest.fixture(scope="session", autouse=True)
def quick_attributes() -> Iterator[None]:
    """Fit the attribute editor to few images."""
    quick = {"DIGITS": 1000, "HELD_OUT": 200, "PHASE": Phase(epochs=2, peak_learning_rate=1e-2)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quick.items():
            patch.setattr(f"export.attributes.{name}", value)
        yield


Exported = Callable[[str], Path]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, quick_attributes: None) -> Exported:
    """The model directory of a preset in SMALL; exported once, as the exporter takes a second for each graph."""

    @functools.cache
    def export(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        build(untrained(SMALL[name]), folder)
        return folder

    return export
