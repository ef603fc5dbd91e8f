"""Teachers: those that are committed fit, several become a mixture, and which are refused."""

import dataclasses
from pathlib import Path

import pytest

from training.config import Preset
from training.errors import CheckpointError
from training.presets import PRESETS, TEACHERS
from training.run.checkpoint import WEIGHTS
from training.teachers import given_teachers, teacher_of

COMMITTED = WEIGHTS / "teachers"
STUDENTS = {name: preset for name, preset in PRESETS.items() if preset.teacher}


def test_every_teacher_is_committed() -> None:
    assert {path.stem for path in COMMITTED.iterdir()} == TEACHERS


@pytest.mark.parametrize("preset", STUDENTS.values(), ids=STUDENTS)
def test_several_draw_as_a_mixture(preset: Preset) -> None:
    given = given_teachers(preset, COMMITTED)
    assert tuple(given) == preset.teacher
    teacher = teacher_of(preset, list(given.values()))
    assert len(teacher.drawers()) == len(given)
    assert teacher.latent_dim == preset.latent_dim
    assert not any(value.requires_grad for value in teacher.parameters())


def test_none_given_none_read() -> None:
    assert given_teachers(PRESETS["digits"], None) == {}


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (PRESETS["mlp"], "preset mlp has no teachers, got .*; leave --teachers away"),
        (dataclasses.replace(PRESETS["digits-fast"], teacher=("nobody",)), "nobody.safetensors: no such checkpoint"),
        (
            dataclasses.replace(PRESETS["digits-fast"], latent_dim=7),
            r"teachers of digits-fast: expected latents, .* as the preset has them, \(7, .*got \(64, ",
        ),
    ],
    ids=["without", "missing", "other latents"],
)
def test_refuses(preset: Preset, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        given_teachers(preset, COMMITTED)


def test_teachers_that_cannot_be_mixed(tmp_path: Path) -> None:
    preset = dataclasses.replace(PRESETS["digits"], teacher=("residual", "mlp"))
    for name, folder in (("residual", COMMITTED), ("mlp", WEIGHTS)):
        (tmp_path / f"{name}.safetensors").symlink_to(folder / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="teachers of digits: expected members with the same latents"):
        given_teachers(preset, tmp_path)
