"""What a preset's networks are made of, found without making them: hostile presets ask for more than there is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from mnistgen._errors import plain, shown
from training.config import Adversarial, Preset
from training.errors import CheckpointError, PresetError
from training.networks import DISCRIMINATORS, GENERATORS, build_discriminator, build_generator
from training.networks.generator import GeneratorNetwork
from training.objectives.losses import LOSSES
from training.objectives.penalties import PENALTIES

MOST_TENSORS = 1_000
MOST_VALUES = 2**31  # in all tensors together
# What wrong names, types, counts and shapes raise, here or in torch.
MISFITS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def outline(preset: Preset, index: int) -> dict[str, nn.Module]:
    """The networks of a stage without values: `generator` and, of an adversarial one, `discriminator`.

    Raises PresetError for networks that cannot be made. Leaves torch's global random state as it was.
    """
    stage, network = preset.stages[index], preset.network_of(index)
    try:
        with _bounded(), torch.device("meta"):
            networks: dict[str, nn.Module] = {"generator": build_generator(network, preset.latent_dim)}
            if isinstance(stage, Adversarial):
                networks["discriminator"] = build_discriminator(stage.discriminator)
    except MISFITS as error:
        raise PresetError(f"network: expected one that can be made, but {raised(error)}") from None
    values = sum(tensor.numel() for made in networks.values() for tensor in made.state_dict().values())
    if values > MOST_VALUES:
        raise PresetError(f"network: expected at most {MOST_VALUES:,} values, got {values:,}")
    return networks


def check_shapes(preset: Preset, index: int, part: Callable[[str], Mapping[str, Tensor]]) -> None:
    """Refuse a checkpoint's networks, by `part`, that are not those of the stage, before those take memory.

    Raises CheckpointError, and PresetError as `outline` does.
    """
    networks = outline(preset, index)
    shapes = {name: {key: value.shape for key, value in made.state_dict().items()} for name, made in networks.items()}
    for name, expected in (shapes | {"ema": shapes["generator"]}).items():
        found = {key: value.shape for key, value in part(name).items()}
        for key in sorted(expected.keys() | found.keys()) if found or name == "generator" else ():
            ours, theirs = (tuple(of[key]) if key in of else "none" for of in (expected, found))
            if ours != theirs:
                raise CheckpointError(
                    f"the weights do not fit preset {plain(preset.name)}: "
                    f"{plain(f'{name}.{key}')}: expected {ours}, got {theirs}"
                )


def check_preset(preset: Preset) -> list[nn.Module]:
    """All networks of a preset, without values.

    Raises PresetError where it names what is in no table, networks cannot be made, or a teacher takes other inputs
    than its student.
    """
    for index, stage in enumerate(preset.stages):
        named: list[tuple[str, str, Mapping[str, Any]]] = [
            ("architecture", preset.network_of(index).architecture, GENERATORS)
        ]
        if isinstance(stage, Adversarial):
            named += [("architecture", stage.discriminator.architecture, DISCRIMINATORS), ("loss", stage.loss, LOSSES)]
            named += [
                ("penalties.kinds", kind, PENALTIES) for kind in (stage.penalties.kinds if stage.penalties else ())
            ]
        for field, name, table in named:
            if name not in table:
                raise PresetError(f"stages.{index}: {field}: expected one of {', '.join(table)}, got {shown(name)}")
    made = [outline(preset, index) for index in range(len(preset.stages))]
    generators = [networks["generator"] for networks in made]
    inputs = [(net.conditional, net.image_range) for net in generators if isinstance(net, GeneratorNetwork)]
    for index, theirs in enumerate(inputs):
        if theirs != inputs[-1]:
            raise PresetError(
                f"stages.{index}: expected a teacher that is conditional and has the range of pixels as its student, "
                f"{inputs[-1]}, got {theirs}"
            )
    return [network for networks in made for network in networks.values()]


def raised(error: Exception) -> str:
    """What was raised, in one line; a KeyError's text is its key alone."""
    return plain(f"{type(error).__name__}: {' '.join(str(error).split())}")


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
