"""What a preset's networks are made of, found without making them: hostile presets ask for more than there is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from mnistgen.errors import plain, shown
from training.config import Preset
from training.errors import CheckpointError, PresetError
from training.networks import ARCHITECTURES, build_discriminator, build_generator
from training.objectives.features import PANELS
from training.objectives.losses import LOSSES
from training.objectives.penalties import PENALTIES
from training.presets import PRESETS

MOST_TENSORS = 1_000
MOST_VALUES = 2**31  # in all tensors together
# What wrong names, types, counts and shapes raise, here or in torch.
MISFITS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

Shapes = Mapping[str, torch.Size]  # by the names of a network's state


def outline(preset: Preset) -> dict[str, Shapes]:
    """The shapes of `generator` and, where the preset has one, `discriminator`.

    Raises PresetError for networks that cannot be made. Leaves torch's global random state as it was.
    """
    try:
        with _bounded(), torch.device("meta"):
            networks: dict[str, nn.Module] = {
                "generator": build_generator(preset.architecture, preset.latent_dim, preset.generator)
            }
            if preset.discriminator:
                networks["discriminator"] = build_discriminator(preset.architecture, preset.discriminator)
            states = {name: network.state_dict() for name, network in networks.items()}
    except MISFITS as error:
        raise PresetError(f"networks: expected those of {preset.architecture}, but {explained(error)}") from None
    if (values := sum(tensor.numel() for state in states.values() for tensor in state.values())) > MOST_VALUES:
        raise PresetError(f"networks: expected at most {MOST_VALUES:,} values, got {values:,}")
    return {name: {key: tensor.shape for key, tensor in state.items()} for name, state in states.items()}


def check_shapes(preset: Preset, part: Callable[[str], Mapping[str, Tensor]]) -> None:
    """Refuse a checkpoint's networks, by `part`, that are not the preset's, before those take memory.

    Raises CheckpointError, and PresetError as `outline` does.
    """
    shapes = outline(preset)
    for name, expected in (shapes | {"average": shapes["generator"]}).items():
        found = {key: value.shape for key, value in part(name).items()}
        for key in sorted(expected.keys() | found.keys()) if found or name == "generator" else ():
            ours, theirs = (tuple(of[key]) if key in of else "none" for of in (expected, found))
            if ours != theirs:
                raise CheckpointError(
                    f"the weights do not fit preset {plain(preset.name)}: "
                    f"{plain(f'{name}.{key}')}: expected {ours}, got {theirs}"
                )


def explained(error: Exception) -> str:
    """What was raised, in one line; a KeyError's text is its key alone."""
    return plain(f"{type(error).__name__}: {' '.join(str(error).split())}")


def check_rows(preset: Preset) -> None:
    """Raises PresetError where the preset names what is in no table."""
    refinement, penalties = preset.refinement, preset.penalties
    for field, names, table in (
        ("architecture", (preset.architecture,), ARCHITECTURES),
        ("loss", (preset.loss,) if preset.epochs else (), LOSSES),
        ("penalties.kinds", penalties.kinds if penalties else (), PENALTIES),
        ("refinement.networks", (refinement.networks,) if refinement else (), PANELS),
        ("teacher", preset.teacher or (), PRESETS),
    ):
        for name in names:
            if name not in table:
                raise PresetError(f"{field}: expected one of {', '.join(table)}, got {shown(name)}")


@contextmanager
def _bounded() -> Iterator[None]:
    """Raises ValueError within as soon as there are more than MOST_TENSORS parameters."""
    made = count(1)

    def register(*parameter: object) -> None:
        if next(made) > MOST_TENSORS:
            raise ValueError(f"there are more than {MOST_TENSORS:,} tensors")

    handle = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        handle.remove()
