"""RUN: what each kind of stage does, by its data's type; `training.config` has the data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.config import Adversarial, Distillation, MomentMatching
from training.networks.generator import GeneratorNetwork
from training.stages import adversarial, distillation, moment_matching

# (stage, generators of all stages before it, context) -> the generator that it hands on; all frozen.
RUN: Mapping[type, Callable[[Any, Sequence[GeneratorNetwork], Any], GeneratorNetwork]] = {
    Adversarial: adversarial.train,
    Distillation: distillation.train,
    MomentMatching: moment_matching.train,
}
