"""Checks of presets and checkpoints with networks on the meta device, so that untrusted ones cannot exhaust memory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from mnistgen._errors import plain, shown
from training.config import Adversarial, Encoder, Preset
from training.errors import CheckpointError, PresetError
from training.networks import DISCRIMINATORS, ENCODERS, GENERATORS, build_discriminator, build_encoder, build_generator
from training.networks.generator import GeneratorNetwork
from training.objectives.losses import LOSSES
from training.objectives.penalties import PENALTIES

MAX_TENSORS = 1_000
MAX_VALUES = 2**31  # in all tensors
# Raised, here or in torch, for wrong names, types, counts and shapes.
MISMATCH_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def meta_networks(preset: Preset, index: int) -> dict[str, nn.Module]:
    """Build the networks of a stage on the meta device: `generator`, and `discriminator` or `encoder` if it has one.

    Raises PresetError for networks that cannot be built or are too large. Does not change torch's global random state.
    """
    stage, network = preset.stages[index], preset.network_of(index)
    try:
        with _bounded(), torch.device("meta"):
            networks: dict[str, nn.Module] = {"generator": build_generator(network, preset.latent_dim)}
            if isinstance(stage, Adversarial):
                networks["discriminator"] = build_discriminator(stage.discriminator)
            if isinstance(stage, Encoder):
                networks["encoder"] = build_encoder(stage.network, preset.latent_dim)
    except MISMATCH_ERRORS as error:
        raise PresetError(f"network: cannot be built: {exception_message(error)}") from None
    values = sum(tensor.numel() for network in networks.values() for tensor in network.state_dict().values())
    if values > MAX_VALUES:
        raise PresetError(f"network: expected at most {MAX_VALUES:,} values, got {values:,}")
    return networks


def check_shapes(preset: Preset, index: int, part: Callable[[str], Mapping[str, Tensor]]) -> None:
    """Check the shapes of a checkpoint's tensors, which `part` returns by network, before any network is built.

    Raises CheckpointError if they do not fit the stage, and PresetError as `meta_networks` does.
    """
    shapes = {
        name: {key: value.shape for key, value in network.state_dict().items()}
        for name, network in meta_networks(preset, index).items()
    }
    for name, expected in (shapes | {"ema": shapes["generator"]}).items():
        found = {key: value.shape for key, value in part(name).items()}
        for key in sorted(expected.keys() | found.keys()) if found or name in ("generator", "encoder") else ():
            want, got = (tuple(each[key]) if key in each else "none" for each in (expected, found))
            if want != got:
                raise CheckpointError(
                    f"the weights do not fit preset {plain(preset.name)}: "
                    f"{plain(f'{name}.{key}')}: expected {want}, got {got}"
                )


def check_preset(preset: Preset) -> list[nn.Module]:
    """Check a preset, and return all its networks on the meta device.

    Raises PresetError for unknown architectures, losses and penalties, for networks that cannot be built, for a teacher
    whose inputs or pixel range differ from its student's, and for an encoder of an unconditional generator.
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
        if isinstance(stage, Encoder):
            named += [("architecture", stage.network.architecture, ENCODERS)]
        for field, name, table in named:
            if name not in table:
                raise PresetError(f"stages.{index}: {field}: expected one of {', '.join(table)}, got {shown(name)}")
    stages = [meta_networks(preset, index) for index in range(len(preset.stages))]
    generators = [networks["generator"] for networks in stages]
    signatures = [(net.conditional, net.image_range) for net in generators if isinstance(net, GeneratorNetwork)]
    for index, signature in enumerate(signatures):
        if signature != signatures[-1]:
            raise PresetError(
                f"stages.{index}: expected a teacher with its student's (conditional, pixel range), {signatures[-1]}, "
                f"got {signature}"
            )
        if isinstance(preset.stages[index], Encoder) and not signature[0]:
            raise PresetError(f"stages.{index}: expected a class-conditional generator for an encoder")
    return [network for networks in stages for network in networks.values()]


def exception_message(error: Exception) -> str:
    """The type and message of an exception in one line. (The message of a KeyError is only its key.)"""
    return plain(f"{type(error).__name__}: {' '.join(str(error).split())}")


@contextmanager
def _bounded() -> Iterator[None]:
    """Raise ValueError when more than MAX_TENSORS parameters are registered in the body."""
    registered = count(1)

    def register(*parameter: object) -> None:
        if next(registered) > MAX_TENSORS:
            raise ValueError(f"there are more than {MAX_TENSORS:,} tensors")

    handle = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        handle.remove()
