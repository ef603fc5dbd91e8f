"""RUN: the function that runs each kind of stage, by the type of its configuration in `training.config`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.config import Adversarial, Distillation, Encoder, MomentMatching
from training.networks.generator import GeneratorNetwork
from training.stages import adversarial, distillation, encoder, moment_matching

# (stage, generators of all previous stages, context) -> the stage's generator. All generators are frozen.
RUN: Mapping[type, Callable[[Any, Sequence[GeneratorNetwork], Any], GeneratorNetwork]] = {
    Adversarial: adversarial.train,
    Distillation: distillation.train,
    MomentMatching: moment_matching.train,
    Encoder: encoder.train,
}
