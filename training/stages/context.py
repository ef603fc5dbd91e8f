"""Context: the run that a stage belongs to."""

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

# Called after each step with the stage index, the step, the stage's total steps, and the metrics if they were logged.
Progress = Callable[[int, int, int, dict[str, float] | None], None]


@dataclass(frozen=True)
class Evaluation:
    """How generators are evaluated during training."""

    ratio: Callable[[UInt8], float]  # images uint8 (N, 28, 28) -> Fréchet ratio to held-out digits; lower is better
    labels: Tensor  # int64 (N,): the digits to generate; an unconditional generator uses only their number


@dataclass(frozen=True)
class Context:
    """A run, and the position of one of its stages in it."""

    preset: Preset
    mnist: Mnist
    run: RunDirectory
    compute: Compute
    world: World
    evaluation: Evaluation
    progress: Progress
    seconds: Callable[[], float]  # of training so far, including before a resume
    announce: Callable[[str], None] = lambda text: None  # reports slow work between steps, in the main process
    steps_before: tuple[int, ...] = ()  # steps of each previous stage
    start: Checkpoint | None = None  # checkpoint of this stage to resume from

    @property
    def index(self) -> int:
        """The index of the stage in the preset."""
        return len(self.steps_before)

    @property
    def stage(self) -> Any:
        """The configuration of the stage."""
        return self.preset.stages[self.index]

    @property
    def seed(self) -> int:
        """The seed of torch's global random state at the start of the stage; different for each stage."""
        return (self.preset.seed * 1_000 + self.index) % 2**63

    def build_generator(self) -> GeneratorNetwork:
        """The stage's generator, newly initialised from torch's global random state, on the device."""
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
