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
    Cosine,
    Distillation,
    Encoder,
    Exponential,
    Linear,
    MomentMatching,
    Network,
    Penalties,
    Preset,
    Quantization,
    change,
)
from training.errors import PresetError

DEFAULT = "digits"
_EMA = EMA(half_life=20_000)  # chosen: a third of an epoch


def _network(architecture: str, **options: Any) -> Network:
    return Network(architecture, options)


_MLP_GENERATOR: dict[str, Any] = {"widths": [256, 512, 1024], "activation": "leaky-relu", "final": "tanh"}
_MLP_DISCRIMINATOR: dict[str, Any] = {"widths": [512, 256], "activation": "leaky-relu", "final": "sigmoid"}
_CONV_GENERATOR: dict[str, Any] = {"activation": "relu", "final": "tanh", "init": "dcgan"}
_CONV_DISCRIMINATOR: dict[str, Any] = {"activation": "leaky-relu", "final": "sigmoid", "init": "dcgan"}

# A convolutional teacher: trains well against a discriminator, but generates slowly ...
_TEACHER = Adversarial(
    network=_network("upsampling", hidden=[256], channels=[128, 64, 32], final="sigmoid"),
    discriminator=_network("residual", channels=[32, 64, 128], hidden=256),
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
    network=_network("residual", channels=[24, 48, 72], hidden=192),
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
    network=_network(
        "mlp", widths=[448, 448, 448, 448], activation="leaky-relu", final="sigmoid", init="he", conditional=True
    ),
    adversarial=_TEACHER,
    distillation=_STUDENT,
    moments=_MATCHING,
    encoder=_ENCODER,
    quantization=Quantization(),
)

# A short version of the same, for --quick.
QUICK = replace(
    _DIGITS,
    name="digits-quick",
    adversarial=replace(_TEACHER, epochs=4, learning_rate=Cosine(6e-4, 3e-4, warm_up=0.01), evaluate_every=1),
    distillation=replace(_STUDENT, bank=100_000, steps=8_000),
    moments=replace(_MATCHING, steps=600, epochs=1, evaluate_every=300),
    encoder=replace(_ENCODER, steps=1_000, evaluate_every=500),
)


def _gan(name: str, summary: str, network: Network, **adversarial: Any) -> Preset:
    """The preset of a published project: adversarial training with these hyperparameters."""
    return Preset(name=name, summary=summary, network=network, adversarial=Adversarial(**adversarial))


_PRESETS = [
    _DIGITS,
    _gan(
        "dcgan",
        "deep convolutional GAN: strided convolutions, batch norm, 3.6 million parameters",
        _network(
            "conv",
            # channels, kernel, stride, padding: 1 -> 4 -> 8 -> 16 -> 32 -> 28 pixels wide
            layers=[[512, 4, 1, 0], [256, 4, 2, 1], [128, 4, 2, 1], [64, 4, 2, 1], [1, 1, 1, 2]],
            bias=False,
            **_CONV_GENERATOR,
        ),
        discriminator=_network(
            "conv",
            # 28 -> 14 -> 7 -> 3 -> 1 pixels wide
            layers=[[64, 4, 2, 1], [128, 4, 2, 1], [256, 4, 2, 1], [1, 4, 2, 1]],
            bias=False,
            **_CONV_DISCRIMINATOR,
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
        _network("mlp", **_MLP_GENERATOR, init="default"),
        discriminator=_network("mlp", **_MLP_DISCRIMINATOR | {"final": "none"}, init="default"),
        loss="bce-with-logits-smoothed",
        epochs=40,
        sample_every=2,
        evaluate_every=2,
        ema=_EMA,
    ),
    _gan(
        "mlp-relu",
        "multilayer perceptron GAN with a ReLU generator",
        _network("mlp", **_MLP_GENERATOR | {"activation": "relu"}, init="he"),  # chosen
        discriminator=_network("mlp", **_MLP_DISCRIMINATOR, init="dcgan"),  # chosen
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
        _network("mlp", **_MLP_GENERATOR | {"final": "sigmoid"}, init="he", dropout=0.3),  # chosen
        discriminator=_network("mlp", **_MLP_DISCRIMINATOR, init="dcgan", dropout=0.5),  # chosen
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
        # 1 -> 7 -> 14 -> 28 pixels wide
        _network("conv", layers=[[128, 7, 1, 0], [64, 4, 2, 1], [1, 4, 2, 1]], bias=True, **_CONV_GENERATOR),
        discriminator=_network(
            "conv",
            # 28 -> 14 -> 7 -> 1 pixels wide
            layers=[[64, 4, 2, 1], [128, 4, 2, 1], [1, 7, 1, 0]],
            bias=True,
            **_CONV_DISCRIMINATOR,
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
        _network("mlp", **_MLP_GENERATOR, init="he", batch_norm=True),  # chosen
        discriminator=_network("mlp", **_MLP_DISCRIMINATOR, init="dcgan", dropout=0.5),  # chosen
        loss="bce",
        epochs=100,
        sample_every=500,
        sample_unit="step",
        evaluate_every=5,
    ),
]

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}


def resolve(name: str, *, quick: bool = False, epochs: int | None = None, seed: int | None = None) -> Preset:
    """The preset of this name, or its short form, with another number of adversarial epochs or seed.

    Raises PresetError for unknown names and invalid values.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PresetError(f"no preset {name!r}: {hint}known presets are {', '.join(PRESETS)}")
    if quick and name != DEFAULT:
        raise PresetError(f"--quick is a short form of {DEFAULT}; omit --preset")
    return change(QUICK if quick else PRESETS[name], epochs=epochs, seed=seed)
