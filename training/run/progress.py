"""What a run shows while it goes: a progress bar on a terminal, else plain lines; and TensorBoard where asked for."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from training.config import Preset
from training.run.directory import RunDirectory
from training.run.tensorboard import TensorBoard
from training.stages.context import Progress as Listener

NOT_SHOWN = ("stage", "step", "minutes", "images_per_second")  # or shown at the line's ends


class Reporter:
    """A bar for each stage, with its latest metrics, on a terminal; plain lines otherwise."""

    def __init__(self, preset: Preset) -> None:
        self.kinds = [stage.kind for stage in preset.stages]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self.bars = Progress(*columns, TextColumn("{task.fields[metrics]}"), console=console)
        self.tasks: dict[int, TaskID] = {}

    def __call__(self, stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        """Show that a step is done, and its metrics where there are any."""
        text = "" if metrics is None else described(metrics)
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
        """End the bars' lines, where there are any."""
        if self.tasks:
            self.bars.stop()


def described(metrics: dict[str, float]) -> str:
    """A line of metrics as text: `12.3 min, loss 0.123, ratio 1.23, 1,234 images/s`."""
    shown = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in metrics.items() if name not in NOT_SHOWN]
    return ", ".join([f"{metrics['minutes']:.1f} min", *shown, f"{metrics['images_per_second']:,.0f} images/s"])


@contextmanager
def reporting(run: RunDirectory, preset: Preset, *, tensorboard: bool) -> Iterator[Listener]:
    """What the main process's stages report to: the terminal and, where asked for, TensorBoard."""
    with ExitStack() as stack:
        listeners: list[Listener] = [reporter := Reporter(preset)]
        stack.callback(reporter.close)
        if tensorboard:
            listeners.append(stack.enter_context(TensorBoard(run, preset)))

        def report(stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
            for listener in listeners:
                listener(stage, step, steps, metrics)

        yield report
