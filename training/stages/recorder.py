"""Recorder: metrics, evaluation, samples, checkpoints and generators during a stage."""

import copy
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.errors import DivergedError
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import cyclic_labels, draw
from training.run.checkpoint import Checkpoint, stored, wrap_load_errors
from training.stages.context import Context
from training.stages.state import TrainingState

GRID_SIZE = 100  # digits in a sample grid


class Intervals(NamedTuple):
    """Intervals in steps. Every evaluation is also logged and followed by a checkpoint."""

    log: int
    evaluate: int
    sample: int
    checkpoint: int


class Recorder:
    """Counts the steps of a stage, and keeps the generator that the stage returns.

    Call `record` after each step and `finish` at the end. The generator that is kept is the one with the best held-out
    ratio or the last one, depending on the stage. `exported` returns a copy of the generator as it would be exported,
    in evaluation mode. Every process must make the same calls; the main process evaluates and writes.
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
        encoder: nn.Module | None = None,
    ) -> None:
        """Restore the state if the context has a checkpoint. Raises CheckpointError if that does not fit.

        An `encoder` is written to the generator's file.
        """
        self.context, self.state, self.steps, self.batch_size = context, state, steps, batch_size
        self.intervals, self.exported, self.encoder = intervals, exported, encoder
        self.step = 0
        self.window: list[Tensor] = []  # metrics of the steps since they were last logged, on the device
        self.since = context.seconds()
        lines = [line for line in context.run.read_metrics() if line["stage"] == context.index]
        self.ratios = [line["ratio"] for line in lines if "ratio" in line]  # of all evaluations so far
        self.kept: GeneratorNetwork | None = None
        if context.start:
            if self.ratios:  # before restoring the random state, since building a network draws from it
                self.kept = context.compute.place(context.run.read_generator(context.preset, context.index))
            with wrap_load_errors(context.start):
                state.restore(context.start)
            self.step = context.start.header.step

    def record(self, **metrics: Tensor) -> None:
        """Count a step with these scalar metrics, and log, evaluate, sample and save as due. Raises DivergedError."""
        self.step += 1
        self.window.append(torch.stack([value.detach().float() for value in metrics.values()]))
        is_last, context, line = self.step == self.steps, self.context, None
        due = {name for name, interval in self.intervals._asdict().items() if is_last or self.step % interval == 0}
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
        """The generator that the stage returns, frozen. Raises TypeError if there was no evaluation."""
        self.context.world.barrier()
        if self.kept is None:
            raise TypeError("no evaluation was recorded")
        return self.kept.eval().requires_grad_(False)

    def is_stale(self, patience: int) -> bool:
        """Whether none of the last `patience` evaluations improved on those before; always False for 0."""
        recent, before = self.ratios[-patience:], self.ratios[:-patience]
        return patience > 0 and bool(before) and min(recent) >= min(before)

    def _line(self, names: Iterable[str]) -> dict[str, float]:
        """A line for metrics.jsonl: the mean metrics since the last line. Raises DivergedError for non-finite ones."""
        window = torch.stack(self.window).cpu()  # (steps, metrics); synchronises the device
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
        """The held-out ratio of the exported generator, which is kept if it is the best, or if the last one counts."""
        context, network = self.context, self._exported()
        seed, labels = context.preset.seed, context.evaluation.labels
        ratio = context.world.broadcast(lambda: context.evaluation.ratio(draw(self._quantized(network), seed, labels)))
        if context.stage.keeps == "last" or ratio < min(self.ratios, default=math.inf):
            self.kept = network
            if context.world.is_main:
                context.run.save_generator(network, context.header(self.step), self.encoder)
        self.ratios.append(ratio)
        return ratio

    @torch.no_grad()
    def _exported(self) -> GeneratorNetwork:
        """A copy of the generator with the exact weights that its file will contain."""
        network = self.exported()
        for parameter in network.parameters():
            parameter.copy_(stored(parameter))
        return network

    def _save_samples(self) -> None:
        context, network = self.context, self._quantized(self._exported())
        images = draw(network, context.preset.seed, cyclic_labels(GRID_SIZE))
        context.run.save_samples(context.index, self.step, images)

    def _quantized(self, network: GeneratorNetwork) -> GeneratorNetwork:
        """The network with the fake quantization of its export, if the preset is quantized and it is not a teacher."""
        preset = self.context.preset
        if preset.quantization is None or preset.network_of(self.context.index) is not preset.network:
            return network
        quantized = FakeQuantizedGenerator(copy.deepcopy(network))
        quantized.calibrate()
        return quantized
