"""What a run shows while it goes: a progress bar or plain lines, and TensorBoard where asked for."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from tqdm import tqdm

from training.run.directory import RunDirectory
from training.run.distributed import World
from training.run.tensorboard import TensorBoard
from training.stages.adversarial import Progress

# What is shown of a line of metrics that has this key: of adversarial training, distillation and refinement.
LINES = {
    "generator_loss": (
        "loss D {discriminator_loss:.3f} G {generator_loss:.3f}, real {real_score:.2f} fake {fake_score:.2f}"
    ),
    "teacher_error": "distilling, squared error {teacher_error:.5f}",
    "moments": "refining, distance of moments {moments:.3f}",
}


class Reporter:
    """A progress bar with rate and remaining time on a terminal, plain lines otherwise."""

    def __init__(self) -> None:
        self.bar: tqdm[NoReturn] | None = None

    def __call__(self, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        """Show that a step is done, and its metrics where there are any."""
        if self.bar is None or self.bar.total != steps:  # refinement counts on, to another end
            self.bar = tqdm(total=steps, initial=step - 1, unit="step", disable=not sys.stderr.isatty())
        self.bar.update(1)
        if metrics is not None:
            self._show(step, steps, metrics)
        if step == steps:
            self.close()

    def close(self) -> None:
        """End the bar's line, for what is printed next."""
        if self.bar is not None:
            self.bar.close()

    def _show(self, step: int, steps: int, metrics: dict[str, float]) -> None:
        line = next(text for key, text in LINES.items() if key in metrics)
        if "ratio" in metrics:
            line += f", ratio {metrics['ratio']:.2f}"
        if self.bar is not None and not self.bar.disable:
            self.bar.set_postfix_str(line.format(**metrics))
        else:
            rate = f"{metrics['images_per_second']:,.0f} images/s"
            epoch = f" epoch {metrics['epoch'] + 1}" if "epoch" in metrics else ""
            print(f"step {step}/{steps}{epoch}: {line.format(**metrics)}, {rate}", flush=True)


@contextmanager
def reporting(run: RunDirectory, step: int, world: World, tensorboard: bool) -> Iterator[Progress]:
    """Whom the loop reports to, from this step on: the terminal and, where asked for, TensorBoard; one process does."""
    with ExitStack() as stack:
        listeners: list[Progress] = []
        if world.is_first:
            listeners.append(reporter := Reporter())
            stack.callback(reporter.close)
            if tensorboard:
                listeners.append(stack.enter_context(TensorBoard(run, step)))

        def report(step: int, steps: int, metrics: dict[str, float] | None) -> None:
            for listener in listeners:
                listener(step, steps, metrics)

        yield report
