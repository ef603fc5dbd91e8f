"""Recorder: what every stage writes while it trains: metrics, evaluations, samples, checkpoints and generators."""

import copy
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from training.errors import DivergedError
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import draw, every_digit, fixed_inputs, to_images
from training.run.checkpoint import Checkpoint, fitting, stored
from training.stages.context import Context
from training.stages.state import TrainingState

GRID_SIZE = 100  # fixed latents that all sample grids of a run show


class Intervals(NamedTuple):
    """How often, in steps; every evaluation is also logged and followed by a checkpoint."""

    log: int
    evaluate: int
    sample: int
    checkpoint: int


class Recorder:
    """Called once after each step of a stage; counts the steps, and keeps the generator that the stage hands on.

    That is the best one by the held-out digits, or the last, as the stage says. `exported` gives a copy of the
    generator as it would be exported, in evaluation mode. In several processes all call this alike; the main one
    evaluates and writes.
    """

    def __init__(
        self,
        context: Context,
        state: TrainingState,
        *,
        steps: int,
        batch_size: int,
        intervals: Intervals,
        exported: Callable[[], GeneratorNetwork],
    ) -> None:
        """Restores the state where the context has a checkpoint. Raises CheckpointError where that does not fit."""
        self.context, self.state, self.steps, self.batch_size = context, state, steps, batch_size
        self.intervals, self.exported = intervals, exported
        self.step = 0
        self.window: list[Tensor] = []  # metrics of the steps since the last line, on the device
        self.since = context.seconds()
        lines = [line for line in context.run.read_metrics() if line["stage"] == context.index]
        self.ratios = [line["ratio"] for line in lines if "ratio" in line]  # of all evaluations so far
        self.kept: GeneratorNetwork | None = None
        if context.start:
            if self.ratios:  # before the random state is restored, since building a network draws from it
                self.kept = context.compute.place(context.run.read_generator(context.preset, context.index))
            with fitting(context.start):
                state.restore(context.start.tensors)
            self.step = context.start.header.step

    def record(self, **metrics: Tensor) -> None:
        """Count a step that gave these metrics, scalars, and write what is due. Raises DivergedError."""
        self.step += 1
        self.window.append(torch.stack([value.detach().float() for value in metrics.values()]))
        ends, context, line = self.step == self.steps, self.context, None
        due = {name for name, interval in self.intervals._asdict().items() if ends or self.step % interval == 0}
        if due - {"sample"}:
            line = self._line(metrics)
        if line and "evaluate" in due:
            line["ratio"] = self._evaluate()
        if line and context.world.is_main:
            context.run.append_metrics(line)
        if "sample" in due and context.world.is_main:
            self._save_samples()
        if due & {"evaluate", "checkpoint"} and context.world.is_main:
            context.run.save_checkpoint(Checkpoint(context.header(self.step), self.state.capture()))
        if line:
            self.since = context.seconds()
        context.progress(context.index, self.step, self.steps, line)

    def finish(self) -> GeneratorNetwork:
        """The generator that the stage hands on, frozen."""
        self.context.world.barrier()
        if self.kept is None:
            raise TypeError("no evaluation was recorded")
        return self.kept.eval().requires_grad_(False)

    def is_stale(self, patience: int) -> bool:
        """Whether none of the last `patience` evaluations was better than the best before; never for patience 0."""
        recent, before = self.ratios[-patience:], self.ratios[:-patience]
        return patience > 0 and bool(before) and min(recent) >= min(before)

    def _line(self, names: Iterable[str]) -> dict[str, float]:
        """A line for metrics.jsonl: the means of the metrics since the last one."""
        window = torch.stack(self.window).cpu()  # (steps, metrics); waits for the device
        seconds = self.context.seconds()
        self.window = []
        finite = window.isfinite().all(dim=1)
        if not finite.all():
            first = self.step - len(window) + 1 + int(finite.int().argmin())
            raise DivergedError(f"the losses stopped being finite at step {first}; {self.context.run.last_good()}")
        rate = len(window) * self.batch_size / max(seconds - self.since, 1e-9)
        line = {"stage": self.context.index, "step": self.step, "minutes": round(seconds / 60, 2)}
        return line | dict(zip(names, window.mean(dim=0).tolist(), strict=True)) | {"images_per_second": rate}

    def _evaluate(self) -> float:
        """The ratio of the generator as it would be exported, which is kept if it is to be."""
        context, network = self.context, self._exported()
        ratio = context.world.broadcast(
            lambda: context.evaluation.ratio(
                draw(self._rounded(network), context.preset.seed, context.evaluation.labels)
            )
        )
        if context.stage.keeps == "last" or ratio < min(self.ratios, default=math.inf):
            self.kept = network
            if context.world.is_main:
                context.run.save_generator(network, context.header(self.step))
        self.ratios.append(ratio)
        return ratio

    @torch.no_grad()
    def _exported(self) -> GeneratorNetwork:
        """A copy as its file will have it, to the bit."""
        network = self.exported()
        for parameter in network.parameters():
            parameter.copy_(stored(parameter))
        return network

    def _save_samples(self) -> None:
        network = self._rounded(self._exported())
        inputs = fixed_inputs(network, self.context.preset.seed, every_digit(GRID_SIZE)).to(self.context.compute.device)
        self.context.run.save_samples(self.context.index, self.step, to_images(network, inputs))

    def _rounded(self, network: GeneratorNetwork) -> GeneratorNetwork:
        """The network as its export draws: in 8 bits where the preset is quantized and this is not a teacher."""
        preset = self.context.preset
        if preset.quantization is None or preset.network_of(self.context.index) is not preset.network:
            return network
        quantized = FakeQuantizedGenerator(copy.deepcopy(network))
        quantized.calibrate()
        return quantized
