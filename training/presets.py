"""PRESETS: every system that this project trains, with every hyperparameter in sight.

`digits` and `digits-fast` are the project's own, and so are the teachers that they imitate. The six others follow
published student projects; what their documents leave open is chosen here and marked "chosen".
"""

import difflib
from dataclasses import replace
from typing import Any

from training.config import Averaging, Distillation, Penalties, Preset, Quantization, Refinement, change
from training.errors import PresetError

_AVERAGE = Averaging(half_life=20_000)  # chosen: a third of an epoch

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

_RESIDUAL = Preset(
    name="residual",
    summary="class-conditional residual GAN, a teacher of digits",
    architecture="residual",
    latent_dim=64,
    generator={"hidden": (512,), "channels": 64, "blocks": 1, "final": "sigmoid"},
    discriminator={"channels": (32, 64, 128), "hidden": 256},
    loss="relativistic",
    penalties=Penalties(
        kinds=("r1", "r2"), weight={"kind": "exponential", "start": 1.0, "end": 0.1}, every=4, mixed=True
    ),
    epochs=54,
    score_every=3,
    sample_every=5,
    learning_rate={"kind": "cosine", "start": 3e-4, "end": 1.5e-5, "warm_up": 0.01},
    betas=(0.0, 0.99),
    average=Averaging(half_life=180_000),
    refinement=Refinement(
        steps=4_500,
        learning_rate={"kind": "cosine", "start": 3e-5, "end": 1e-6, "warm_up": 0.08},
    ),
    quantization=Quantization(),
    checkpoint_every=500,
)

_STUDENT: dict[str, Any] = {"activation": "leaky-relu", "final": "sigmoid", "init": "he", "conditional": True}
_STUDENT_REFINEMENT = Refinement(
    steps=6_000,
    learning_rate={"kind": "cosine", "start": 1.5e-4, "end": 1e-6, "warm_up": 0.03},
    feature_error={"kind": "exponential", "start": 100.0, "end": 10.0},
    pixel_error={"kind": "exponential", "start": 1_500.0, "end": 150.0},
)

_PRESETS = [
    Preset(
        name="digits",
        summary="class-conditional mixture of three multilayer perceptrons: whatever digit is asked for, in any hand",
        architecture="mixture",
        latent_dim=67,  # 64 of a member, and three that say which
        generator=_STUDENT | {"members": 3, "architecture": "mlp", "widths": (640, 640, 640, 640)},
        teacher=("residual", "residual-2", "upsampling"),
        distillation=Distillation(
            steps=40_000,
            batch_size=500,
            learning_rate={"kind": "linear", "start": 2e-3, "end": 1e-5},
            score_every=1_000,
        ),
        refinement=replace(
            _STUDENT_REFINEMENT,
            feature_error={"kind": "exponential", "start": 100.0, "end": 1.0},
            pixel_error={"kind": "exponential", "start": 1_500.0, "end": 15.0},
            networks="seven",
            epochs=10,
        ),
        quantization=Quantization(),
        log_every=250,
    ),
    Preset(
        name="digits-fast",
        summary="class-conditional multilayer perceptron: whatever digit is asked for, faster",
        architecture="mlp",
        latent_dim=64,
        generator=_STUDENT | {"widths": (448, 448, 448, 448)},
        teacher=("residual",),
        distillation=Distillation(steps=45_000, learning_rate={"kind": "linear", "start": 2e-3, "end": 1e-5}),
        refinement=_STUDENT_REFINEMENT,
        quantization=Quantization(),
        log_every=250,
    ),
    _RESIDUAL,
    replace(_RESIDUAL, name="residual-2", seed=2),
    replace(
        _RESIDUAL,
        name="upsampling",
        summary="class-conditional convolutional GAN with transposed convolutions, a teacher of digits",
        architecture="upsampling",
        generator={"hidden": (256,), "channels": (128, 64, 32), "final": "sigmoid"},
        epochs=31,
        refinement=None,
        quantization=None,
    ),
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
        average=_AVERAGE,
        batch_norm_samples=4_000,
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
        score_every=2,
        average=_AVERAGE,
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
        score_every=2,
        average=_AVERAGE,
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
        score_every=5,
        average=_AVERAGE,
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
        epochs=30,  # chosen
        batch_size=64,  # chosen: with a twelfth of the steps, and at 2e-4, fours made up less than 4 % of the digits
        learning_rate=5e-4,
        checkpoint_every=250,
        average=_AVERAGE,
        batch_norm_samples=4_000,
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
        score_every=5,
    ),
]

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}
TEACHERS = {name for preset in PRESETS.values() for name in preset.teacher or ()}  # which are not bundled


def resolve(name: str, **changes: int | None) -> Preset:
    """The preset of this name with the changes that are not None. Raises PresetError as `change` does."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PresetError(f"no preset {name!r}: {hint}known are {', '.join(PRESETS)}")
    return change(PRESETS[name], **changes)
