"""PRESETS: every system that this project trains, with every hyperparameter in sight.

All six follow published student projects; what their documents leave open is chosen here and marked "chosen".
"""

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from training.errors import PresetError


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One system: two networks, a loss, and how they are trained."""

    name: str
    summary: str  # one line for cards and listings
    architecture: str  # a row of ARCHITECTURES
    generator: Mapping[str, Any]  # the networks' own options
    discriminator: Mapping[str, Any]
    loss: str  # a row of LOSSES
    latent_dim: int = 100
    epochs: int
    batch_size: int = 128
    learning_rate: float = 2e-4  # Adam's, for both networks
    betas: tuple[float, float] = (0.5, 0.999)
    seed: int = 1  # of the bundled model
    log_every: int = 100  # steps
    sample_every: int = 1  # sample_unit
    sample_unit: Literal["step", "epoch"] = "epoch"
    checkpoint_every: int = 1000  # steps


_MLP_GENERATOR: dict[str, Any] = {
    "widths": (256, 512, 1024),
    "activation": "leaky-relu",
    "final": "tanh",
    "init": "he",  # chosen
}
_MLP_DISCRIMINATOR: dict[str, Any] = {
    "widths": (512, 256),
    "activation": "leaky-relu",
    "final": "sigmoid",
    "init": "dcgan",  # chosen
}

_PRESETS = [
    Preset(
        name="dcgan",
        summary="deep convolutional GAN: strided convolutions, batch norm, 3.6 million parameters",
        architecture="conv",
        generator={
            # channels, kernel, stride, padding: 1 -> 4 -> 8 -> 16 -> 32 -> 28 pixels wide
            "layers": ((512, 4, 1, 0), (256, 4, 2, 1), (128, 4, 2, 1), (64, 4, 2, 1), (1, 1, 1, 2)),
            "activation": "relu",
            "final": "tanh",
            "bias": False,
            "init": "dcgan",
        },
        discriminator={
            # 28 -> 14 -> 7 -> 3 -> 1 pixels wide
            "layers": ((64, 4, 2, 1), (128, 4, 2, 1), (256, 4, 2, 1), (1, 4, 2, 1)),
            "activation": "leaky-relu",
            "final": "sigmoid",
            "bias": False,
            "init": "dcgan",
        },
        loss="bce",
        epochs=12,  # chosen
        checkpoint_every=100,
    ),
    Preset(
        name="mlp",
        summary="plain multilayer perceptron GAN with smoothed targets",
        architecture="mlp",
        generator=_MLP_GENERATOR | {"init": "default"},
        discriminator=_MLP_DISCRIMINATOR | {"final": "none", "init": "default"},
        loss="bce-with-logits-smoothed",
        epochs=40,
        sample_every=2,
    ),
    Preset(
        name="mlp-relu",
        summary="multilayer perceptron GAN with a ReLU generator",
        architecture="mlp",
        generator=_MLP_GENERATOR | {"activation": "relu"},
        discriminator=_MLP_DISCRIMINATOR,
        loss="bce",
        epochs=40,  # chosen
        betas=(0.0, 0.9),  # chosen: with momentum, ReLU generators collapsed into one image in every run
        sample_every=2,
    ),
    Preset(
        name="mlp-dropout",
        summary="multilayer perceptron GAN with dropout and pixels from a sigmoid",
        architecture="mlp",
        generator=_MLP_GENERATOR | {"final": "sigmoid", "dropout": 0.3},  # rates chosen
        discriminator=_MLP_DISCRIMINATOR | {"dropout": 0.5},
        loss="bce",
        epochs=200,
        batch_size=100,
        sample_every=5,
    ),
    Preset(
        name="conv",
        summary="small convolutional GAN",
        architecture="conv",
        generator={
            # channels, kernel, stride, padding: 1 -> 7 -> 14 -> 28 pixels wide
            "layers": ((128, 7, 1, 0), (64, 4, 2, 1), (1, 4, 2, 1)),
            "activation": "relu",
            "final": "tanh",
            "bias": True,
            "init": "dcgan",  # chosen
        },
        discriminator={
            # 28 -> 14 -> 7 -> 1 pixels wide
            "layers": ((64, 4, 2, 1), (128, 4, 2, 1), (1, 7, 1, 0)),
            "activation": "leaky-relu",
            "final": "sigmoid",
            "bias": True,
            "init": "dcgan",  # chosen
        },
        loss="bce",
        epochs=10,  # chosen
        checkpoint_every=250,
    ),
    Preset(
        name="mlp-bn",
        summary="multilayer perceptron GAN with batch norm in the generator and dropout in the discriminator",
        architecture="mlp",
        generator=_MLP_GENERATOR | {"batch_norm": True},
        discriminator=_MLP_DISCRIMINATOR | {"dropout": 0.5},  # rate chosen
        loss="bce",
        epochs=100,
        sample_every=500,
        sample_unit="step",
    ),
]

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}


def resolve(name: str, **changes: int | None) -> Preset:
    """The preset of this name with the changes that are not None. Raises PresetError as `change` does."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PresetError(f"no preset {name!r}: {hint}known are {', '.join(PRESETS)}")
    return change(PRESETS[name], **changes)


def change(preset: Preset, **changes: int | None) -> Preset:
    """The preset with the changes that are not None. Raises PresetError for epochs below 1 and seeds past 64 bits."""
    wanted: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    changed = replace(preset, **wanted)
    if changed.epochs < 1:
        raise PresetError(f"epochs: expected 1 or more, got {changed.epochs}")
    if not 0 <= changed.seed < 2**63:
        raise PresetError(f"seed: expected 0 to 2**63 - 1, got {changed.seed}")
    return changed


def to_json(preset: Preset) -> dict[str, Any]:
    """The preset as JSON types: what run directories, checkpoints and cards hold."""
    fields: dict[str, Any] = _plain(asdict(preset))
    return fields


def from_json(fields: Mapping[str, Any]) -> Preset:
    """The preset that `to_json` described. Raises PresetError where the fields are not those of a preset."""
    try:
        return Preset(**{key: _frozen(value) for key, value in fields.items()})
    except TypeError as error:
        raise PresetError(f"not a preset of this version of mnistgen: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
