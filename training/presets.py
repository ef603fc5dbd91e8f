"""PRESETS: the models that this project trains, with all their hyperparameters.

`digits`, the default, was developed here. The six others follow published student projects. Hyperparameters that their
documents do not specify are marked "chosen".
"""

import difflib
from dataclasses import replace
from typing import Any

from training.config import (
    EMA,
    Adversarial,
    Distillation,
    Encoder,
    MomentMatching,
    Network,
    Penalties,
    Preset,
    Quantization,
    change,
)
from training.errors import PresetError
from training.schedules import Cosine, Exponential, Linear

DEFAULT = "digits"
_EMA = EMA(half_life=20_000)  # chosen: a third of an epoch

_MLP_GENERATOR: dict[str, Any] = {
    "widths": [256, 512, 1024],
    "activation": "leaky-relu",
    "final": "tanh",
    "init": "he",  # chosen
}
_MLP_DISCRIMINATOR: dict[str, Any] = {
    "widths": [512, 256],
    "activation": "leaky-relu",
    "final": "sigmoid",
    "init": "dcgan",  # chosen
}

# A convolutional teacher: trains well against a discriminator, but generates slowly ...
_TEACHER = Adversarial(
    network=Network("upsampling", {"hidden": [256], "channels": [128, 64, 32], "final": "sigmoid"}),
    discriminator=Network("residual", {"channels": [32, 64, 128], "hidden": 256}),
    loss="relativistic",
    epochs=31,
    learning_rate=Cosine(3e-4, 1.5e-5, warm_up=0.01),
    betas=(0.0, 0.99),
    penalties=Penalties(kinds=("r1", "r2"), weight=Exponential(1.0, 0.1), every=4, mixed_precision=True),
    ema=EMA(half_life=180_000),
    evaluate_every=2,
    checkpoint_every=500,
)
# ... a small student that generates fast ...
_STUDENT = Distillation(bank=400_000, steps=32_000, batch_size=250, learning_rate=Linear(2e-3, 1e-5))
# ... fine-tuning by feature-moment matching ...
_MATCHING = MomentMatching(
    steps=2_500,
    learning_rate=Cosine(1.5e-4, 1e-6, warm_up=0.03),
    pixel_error=Exponential(1_500.0, 50.0),
    feature_error=Exponential(100.0, 3.0),
    ema=EMA(half_life=20_000),
    epochs=8,
    evaluate_every=500,
)

# ... and an encoder, from images to latents.
_ENCODER = Encoder(
    network=Network("residual", {"channels": [24, 48, 72], "hidden": 192}),
    steps=8_000,
    learning_rate=Cosine(2e-3, 1e-5, warm_up=0.05),
    augmentation=0.5,
    latent_error=0.01,
    prior=1e-3,
    label_error=0.01,
)

_DIGITS = Preset(
    name="digits",
    summary="class-conditional multilayer perceptron: draws the digit that is asked for, in any handwriting style",
    latent_dim=64,
    network=Network(
        "mlp",
        {
            "widths": [448, 448, 448, 448],
            "activation": "leaky-relu",
            "final": "sigmoid",
            "init": "he",
            "conditional": True,
        },
    ),
    stages=(_TEACHER, _STUDENT, _MATCHING, _ENCODER),
    quantization=Quantization(),
)

# A short version of the same, for --quick.
QUICK = replace(
    _DIGITS,
    stages=(
        replace(_TEACHER, epochs=4, learning_rate=Cosine(6e-4, 3e-4, warm_up=0.01), evaluate_every=1),
        replace(_STUDENT, bank=100_000, steps=8_000),
        replace(_MATCHING, steps=600, epochs=1, evaluate_every=300),
        replace(_ENCODER, steps=1_000, evaluate_every=500),
    ),
)


def _gan(name: str, summary: str, network: Network, **stage: Any) -> Preset:
    """The preset of a published project: one adversarial stage with these hyperparameters."""
    return Preset(name=name, summary=summary, network=network, stages=(Adversarial(**stage),))


_PRESETS = [
    _DIGITS,
    _gan(
        "dcgan",
        "deep convolutional GAN: strided convolutions, batch norm, 3.6 million parameters",
        Network(
            "conv",
            {
                # channels, kernel, stride, padding: 1 -> 4 -> 8 -> 16 -> 32 -> 28 pixels wide
                "layers": [[512, 4, 1, 0], [256, 4, 2, 1], [128, 4, 2, 1], [64, 4, 2, 1], [1, 1, 1, 2]],
                "activation": "relu",
                "final": "tanh",
                "bias": False,
                "init": "dcgan",
            },
        ),
        discriminator=Network(
            "conv",
            {
                # 28 -> 14 -> 7 -> 3 -> 1 pixels wide
                "layers": [[64, 4, 2, 1], [128, 4, 2, 1], [256, 4, 2, 1], [1, 4, 2, 1]],
                "activation": "leaky-relu",
                "final": "sigmoid",
                "bias": False,
                "init": "dcgan",
            },
        ),
        loss="bce",
        epochs=20,  # chosen
        checkpoint_every=100,
        ema=EMA(half_life=100_000),  # chosen: two epochs
        batch_norm_samples=4_000,
    ),
    _gan(
        "mlp",
        "plain multilayer perceptron GAN with smoothed targets",
        Network("mlp", _MLP_GENERATOR | {"init": "default"}),
        discriminator=Network("mlp", _MLP_DISCRIMINATOR | {"final": "none", "init": "default"}),
        loss="bce-with-logits-smoothed",
        epochs=40,
        sample_every=2,
        evaluate_every=2,
        ema=_EMA,
    ),
    _gan(
        "mlp-relu",
        "multilayer perceptron GAN with a ReLU generator",
        Network("mlp", _MLP_GENERATOR | {"activation": "relu"}),
        discriminator=Network("mlp", _MLP_DISCRIMINATOR),
        loss="bce",
        epochs=40,  # chosen
        betas=(0.0, 0.9),  # chosen: with momentum, ReLU generators collapsed to a single image in every run
        sample_every=2,
        evaluate_every=2,
        ema=_EMA,
    ),
    _gan(
        "mlp-dropout",
        "multilayer perceptron GAN with dropout and pixels from a sigmoid",
        Network("mlp", _MLP_GENERATOR | {"final": "sigmoid", "dropout": 0.3}),  # rates chosen
        discriminator=Network("mlp", _MLP_DISCRIMINATOR | {"dropout": 0.5}),
        loss="bce",
        epochs=200,
        batch_size=100,
        sample_every=5,
        evaluate_every=5,
        ema=_EMA,
    ),
    _gan(
        "conv",
        "small convolutional GAN",
        Network(
            "conv",
            {
                # channels, kernel, stride, padding: 1 -> 7 -> 14 -> 28 pixels wide
                "layers": [[128, 7, 1, 0], [64, 4, 2, 1], [1, 4, 2, 1]],
                "activation": "relu",
                "final": "tanh",
                "bias": True,
                "init": "dcgan",  # chosen
            },
        ),
        discriminator=Network(
            "conv",
            {
                # 28 -> 14 -> 7 -> 1 pixels wide
                "layers": [[64, 4, 2, 1], [128, 4, 2, 1], [1, 7, 1, 0]],
                "activation": "leaky-relu",
                "final": "sigmoid",
                "bias": True,
                "init": "dcgan",  # chosen
            },
        ),
        loss="bce",
        epochs=30,  # chosen
        batch_size=64,  # chosen: with a twelfth of the steps, at 2e-4, less than 4 % of the digits were fours
        learning_rate=5e-4,
        checkpoint_every=250,
        ema=_EMA,
        batch_norm_samples=4_000,
    ),
    _gan(
        "mlp-bn",
        "multilayer perceptron GAN with batch norm in the generator and dropout in the discriminator",
        Network("mlp", _MLP_GENERATOR | {"batch_norm": True}),
        discriminator=Network("mlp", _MLP_DISCRIMINATOR | {"dropout": 0.5}),  # rate chosen
        loss="bce",
        epochs=100,
        sample_every=500,
        sample_unit="step",
        evaluate_every=5,
    ),
]

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}


def resolve(name: str, *, epochs: int | None = None, seed: int | None = None) -> Preset:
    """The preset of this name with `change` applied. Raises PresetError for unknown names and invalid values."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PresetError(f"no preset {name!r}: {hint}known presets are {', '.join(PRESETS)}")
    return change(PRESETS[name], epochs=epochs, seed=seed)
