"""Presets: conversion to JSON, validation and changes."""

import dataclasses
import json

import pytest
from pydantic import ValidationError

from tests.training.small import SMALL
from training.config import (
    EMA,
    Adversarial,
    Distillation,
    MomentMatching,
    Network,
    Preset,
    Stage,
    change,
    from_json,
    to_json,
)
from training.errors import PresetError
from training.networks.generator import GeneratorNetwork
from training.presets import PRESETS, resolve
from training.run.outline import check_preset

DIGITS = PRESETS["digits"]
ADVERSARIAL, DISTILLATION, MATCHING, ENCODER = DIGITS.stages


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_json_round_trip(preset: Preset) -> None:
    assert from_json(json.loads(json.dumps(to_json(preset)))) == preset
    networks = check_preset(preset)
    assert sum(isinstance(network, GeneratorNetwork) for network in networks) == len(preset.stages)


def test_change() -> None:
    changed = change(DIGITS, epochs=3, seed=7)
    assert isinstance(changed.stages[0], Adversarial)
    assert (changed.stages[0].epochs, changed.seed, changed.stages[1:]) == (3, 7, DIGITS.stages[1:])
    assert change(DIGITS) == DIGITS
    with pytest.raises(PresetError, match=r"^epochs: input should be greater than or equal to 1, got 0$"):
        change(DIGITS, epochs=0)
    with pytest.raises(PresetError, match=r"^seed: input should be greater than or equal to 0, got -1$"):
        change(DIGITS, seed=-1)


def test_unknown_name_suggests_similar_one() -> None:
    with pytest.raises(PresetError, match=r"no preset 'dcgn': did you mean dcgan\? known presets are digits, "):
        resolve("dcgn")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((), "stages: expected at least one, got none"),
        ((MATCHING,), "stages: expected moment-matching after adversarial or distillation, got it after nothing"),
        ((DISTILLATION,), "stages: expected distillation after adversarial, got it after nothing"),
        (
            (ADVERSARIAL, ADVERSARIAL, DISTILLATION),
            "stages: expected adversarial after nothing, got it after adversarial",
        ),
        (
            (ADVERSARIAL, MATCHING, DISTILLATION),
            "stages: expected distillation after adversarial, got it after moment-matching",
        ),
        ((ADVERSARIAL,), "stages: expected adversarial with its own network exactly if distillation follows"),
        (
            (dataclasses.replace(ADVERSARIAL, network=None), DISTILLATION),  # type: ignore[arg-type]
            "stages: expected adversarial with its own network exactly if distillation follows",
        ),
    ],
)
def test_invalid_stage_order_raises(stages: tuple[Stage, ...], message: str) -> None:
    with pytest.raises(PresetError) as error:
        dataclasses.replace(DIGITS, stages=stages)
    assert str(error.value) == message


def test_teacher_with_other_inputs_raises() -> None:
    unconditional = Network("mlp", DIGITS.network.options | {"conditional": False})
    with pytest.raises(PresetError, match=r"^stages\.0: expected a teacher with its student's "):
        check_preset(dataclasses.replace(DIGITS, network=unconditional))


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"loss": "bcf"}, "stages.0: loss: expected one of bce"),
        ({"discriminator": Network("mpl", {})}, "stages.0: architecture: expected one of mlp, conv, residual"),
        ({"discriminator": Network("mlp", {"width": 3})}, "network: cannot be built: TypeError: "),
    ],
)
def test_unknown_components_raise(stage: dict[str, object], message: str) -> None:
    preset = SMALL["mlp"]
    stages = (dataclasses.replace(preset.stages[0], **stage),)  # type: ignore[arg-type]  # field names are correct
    with pytest.raises(PresetError) as error:
        check_preset(dataclasses.replace(preset, stages=stages))
    assert str(error.value).startswith(message)


def test_invalid_stage_values_raise() -> None:
    with pytest.raises(ValidationError):
        MomentMatching(steps=0, learning_rate=1e-4, ema=EMA(half_life=1.0), epochs=1)
    with pytest.raises(ValidationError):
        Distillation(bank=100, steps=10, batch_size=25, learning_rate=1e-3)  # not divisible by ten


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"latent_dim": 100', '"latent_dim": 0', "latent_dim: input should be greater than or equal to 1, got 0"),
        ('"latent_dim": 100', '"latent_dim": "many"', "latent_dim: input should be a valid integer, got 'many'"),
        ('"batch_size": 64', '"batch_size": 64.5', "batch_size: input should be a valid integer"),
        ('"loss"', '"lost"', "stages.0.adversarial.loss: field required"),
        ('"kind": "adversarial"', '"kind": "adversary"', "stages.0: input tag 'adversary' found using 'kind'"),
        ('"learning_rate": 0.0002', '"learning_rate": NaN', "learning_rate.float: input should be a finite number"),
        ('"learning_rate": 0.0002', '"learning_rate": {"kind": "linear"}', "learning_rate."),
    ],
)
def test_invalid_json_raises(old: str, new: str, message: str) -> None:
    text = json.dumps(to_json(SMALL["mlp"]))
    assert old in text
    with pytest.raises(PresetError) as error:
        from_json(json.loads(text.replace(old, new)))
    assert message in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("content", [[], {}, None, "preset"])
def test_unrelated_json_raises(content: object) -> None:
    with pytest.raises(PresetError):
        from_json(content)
