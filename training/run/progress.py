"""Progress reporting: a progress bar on a terminal, plain lines otherwise, and TensorBoard if requested."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from training.config import Preset
from training.run.directory import RunDirectory
from training.run.tensorboard import TensorBoard
from training.stages.context import Progress as Listener

NOT_SHOWN = ("stage", "step", "minutes", "images_per_second")  # among the metrics; shown separately or not at all


class Reporter:
    """On a terminal, a bar for each stage with its latest metrics; otherwise plain lines."""

    def __init__(self, preset: Preset) -> None:
        self.kinds = [stage.kind for stage in preset.stages]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self.bars = Progress(*columns, TextColumn("{task.fields[metrics]}"), console=console)
        self.tasks: dict[int, TaskID] = {}

    def __call__(self, stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        """Show a completed step, and its metrics if there are any."""
        text = "" if metrics is None else format_metrics(metrics)
        if not sys.stderr.isatty():
            if metrics is not None:
                print(f"{self.kinds[stage]} step {step}/{steps}: {text}", flush=True)
            return
        if stage not in self.tasks:
            self.bars.start()
            self.tasks[stage] = self.bars.add_task(self.kinds[stage], total=steps, metrics="")
        self.bars.update(self.tasks[stage], completed=step)
        if text:
            self.bars.update(self.tasks[stage], metrics=text)

    def close(self) -> None:
        """Stop the progress bars, if there are any."""
        if self.tasks:
            self.bars.stop()


def format_metrics(metrics: dict[str, float]) -> str:
    """Format a line of metrics: `12.3 min, loss 0.123, ratio 1.23, 1,234 images/s`."""
    shown = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in metrics.items() if name not in NOT_SHOWN]
    return ", ".join([f"{metrics['minutes']:.1f} min", *shown, f"{metrics['images_per_second']:,.0f} images/s"])


@contextmanager
def reporting(run: RunDirectory, preset: Preset, *, tensorboard: bool) -> Iterator[Listener]:
    """The progress callback of the main process, for the terminal and, if requested, TensorBoard."""
    with ExitStack() as stack:
        listeners: list[Listener] = [reporter := Reporter(preset)]
        stack.callback(reporter.close)
        if tensorboard:
            listeners.append(stack.enter_context(TensorBoard(run, preset)))

        def report(stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
            for listener in listeners:
                listener(stage, step, steps, metrics)

        yield report
