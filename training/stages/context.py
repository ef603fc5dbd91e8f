"""Context: what all stages of a run share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mnistgen._arrays import UInt8
from training.config import Preset
from training.data import Mnist
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.run.checkpoint import Checkpoint, Header
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.run.distributed import World

# Called after each step: stage index, step done, all steps of the stage, and a line of metrics when one was written.
Progress = Callable[[int, int, int, dict[str, float] | None], None]


@dataclass(frozen=True)
class Evaluation:
    """How generators are compared during training."""

    ratio: Callable[[UInt8], float]  # digits uint8 (N, 28, 28) -> Fréchet ratio against held-out ones; lower is better
    labels: Tensor  # int64 (N,): of the digits to draw; for an unconditional generator only their number counts


@dataclass(frozen=True)
class Context:
    """A run, and where one of its stages stands in it."""

    preset: Preset
    mnist: Mnist
    run: RunDirectory
    compute: Compute
    world: World
    evaluation: Evaluation
    progress: Progress
    seconds: Callable[[], float]  # spent on the run so far, that of earlier processes included
    announce: Callable[[str], None] = lambda text: None  # what takes long between steps, in the main process
    steps_before: tuple[int, ...] = ()  # of the stages before this one
    start: Checkpoint | None = None  # of this stage, to resume from

    @property
    def index(self) -> int:
        """Which of the preset's stages this is, from 0."""
        return len(self.steps_before)

    @property
    def stage(self) -> Any:
        """The stage itself."""
        return self.preset.stages[self.index]

    @property
    def seed(self) -> int:
        """Of torch's global random state at the stage's beginning: another one for each stage."""
        return (self.preset.seed * 1_000 + self.index) % 2**63

    def build_generator(self) -> GeneratorNetwork:
        """The stage's generator, freshly initialised from torch's global random state, on the device."""
        network = build_generator(self.preset.network_of(self.index), self.preset.latent_dim)
        return self.compute.place(network)

    def header(self, step: int) -> Header:
        """The header of a checkpoint after this step of the stage."""
        return Header(
            preset=self.preset,
            steps=(*self.steps_before, step),
            seconds=round(self.seconds(), 1),
            data_sha256=self.mnist.train.sha256,
            device=self.compute.device.type,
            precision=self.compute.precision,
            threads=self.compute.threads,
        )
