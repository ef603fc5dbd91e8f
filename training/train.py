"""Train one preset on MNIST, then export the result: python training/train.py --preset dcgan."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository, whatever folder this is called from

import torch
import typer
from tqdm import tqdm

from export.build import build, in_float32
from export.errors import ExportError
from mnistgen import Generator, MnistgenError
from mnistgen.catalog import find
from mnistgen.cpus import usable_cpus
from training import checkpoint as checkpoints
from training.compute import Compute, choose, make_deterministic
from training.data import load_mnist
from training.distillation import distil
from training.distributed import World, joined
from training.errors import TrainingError
from training.evaluation.yardstick import yardstick
from training.loop import GRID_SIZE, Progress, Scoring, train
from training.preset import Preset, change, to_json
from training.presets import PRESETS, resolve
from training.refinement import check_epochs, is_refined, refine
from training.run_directory import RunDirectory
from training.tensorboard import TensorBoard

FLAGSHIP = "digits"  # what is trained, and measured, where no preset is named


def main(
    preset: Annotated[str | None, typer.Option(help=f"One of: {', '.join(PRESETS)}.", show_default=FLAGSHIP)] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the 54,000 digits not held out.", show_default="the preset's"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", show_default="the preset's")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    data: Annotated[Path, typer.Option(help="Folder that holds MNIST/raw; downloaded there if absent.")] = Path("data"),
    out: Annotated[Path | None, typer.Option(help="Run directory.", show_default="runs/PRESET-seedSEED")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run directory.")] = None,
    evaluate: Annotated[
        bool | None,
        typer.Option(help="Measure the result as evaluate.py does.", show_default=f"for {FLAGSHIP} alone"),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log to RUN/tensorboard too.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the resolved preset and stop.")] = False,
) -> None:
    """Train one preset on MNIST, then export the result and, for the default model, measure it.

    Example: python training/train.py --preset mlp --epochs 5
    """
    try:
        run, chosen, start = plan(preset, epochs, seed, out, resume)
        if dry_run:
            print(json.dumps(to_json(chosen), indent=2))
            return
        compute = choose(device, chosen.architecture)
        if start:
            compute = choose(device, chosen.architecture, **checkpoints.compute_of(start.header, compute.device))
        make_deterministic(compute)
        with joined(compute.device) as world:
            for stage in (chosen.distillation or chosen, chosen.refinement):
                if stage:
                    world.share(stage.batch_size)
            with world.first_ahead():
                mnist = load_mnist(data, compute.device)
                held_out = yardstick(mnist, "quick")
            if start:
                checkpoints.check_data(start, mnist.train.sha256)
                check_epochs(start, chosen, len(mnist.fitting))
            if world.is_first:
                prepare(run, chosen, start)
                print(describe(chosen, compute, world, run), flush=True)
            world.wait()
            with reporting(run, start.header.step if start else 0, world, tensorboard) as report:
                scoring = Scoring(held_out.ratio, torch.from_numpy(held_out.target.labels))
                if start is None or not is_refined(start):
                    begin = distil if chosen.distillation else train
                    best = begin(
                        chosen, mnist.fitting, run, compute, scoring=scoring, start=start, world=world, report=report
                    )
                    start = None
                if chosen.refinement:
                    best = refine(
                        chosen, mnist.fitting, run, compute, scoring=scoring, start=start, world=world, report=report
                    )
            if world.is_first:
                finish(run, chosen, best)
        if world.is_first and (chosen.name == FLAGSHIP if evaluate is None else evaluate):
            measure(run, chosen, best, data)
    except (TrainingError, ExportError, MnistgenError, OSError) as error:
        sys.exit(f"train.py: {error}")


def prepare(run: RunDirectory, preset: Preset, start: checkpoints.Checkpoint | None) -> None:
    """Make the run directory, or take it back to the checkpoint that the run goes on from."""
    if start is None:
        run.create(preset)
    else:
        run.save_preset(preset)
        run.rewind(start.header.step)


def describe(preset: Preset, compute: Compute, world: World, run: RunDirectory) -> str:
    """The first line of the log."""
    processes = f" in {world.size} processes" if world.size > 1 else ""
    how = preset.distillation
    course = f"distilled from {preset.teacher} in {how.steps:,} steps" if how else f"{preset.epochs} epochs"
    return f"{preset.name}: {course}, seed {preset.seed}, on {compute}{processes}; writing {run.path}"


def finish(run: RunDirectory, preset: Preset, best: checkpoints.Checkpoint) -> None:
    """Draw what the run was like, and export its best generator."""
    run.draw_losses()
    run.draw_progress()
    run.draw_strip()
    build(best, run.export)
    run.save_final(Generator(run.export, device="cpu").sample(GRID_SIZE, seed=preset.seed))
    why = "refined" if preset.refinement else "which came closest to the held-out digits"
    print(f"Exported the generator of step {best.header.step}, {why}.")
    print(f"Sample from it: mnistgen sample --model {run.export} --out grid.png")


def measure(run: RunDirectory, preset: Preset, best: checkpoints.Checkpoint, data: Path) -> None:
    """Measure the export; what is quantised also in float32, so that its card says what that cost."""
    from training.evaluation.assessment import assess  # late: its libraries take seconds to import

    forms = [run.export]
    if preset.quantisation:
        build(in_float32(best), run.export_float32)
        forms.append(run.export_float32)
    assess([find(form) for form in forms], run.report, write_card=True, data=data, workers=usable_cpus())


@contextmanager
def reporting(run: RunDirectory, step: int, world: World, tensorboard: bool) -> Iterator[Progress]:
    """Whom the loop reports to, from this step on: the terminal and, where asked for, TensorBoard; one process does."""
    with ExitStack() as stack:
        listeners: list[Progress] = []
        if world.is_first:
            listeners.append(Reporter())
            if tensorboard:
                listeners.append(stack.enter_context(TensorBoard(run, step)))

        def report(step: int, steps: int, metrics: dict[str, float] | None) -> None:
            for listener in listeners:
                listener(step, steps, metrics)

        yield report


def plan(
    name: str | None, epochs: int | None, seed: int | None, out: Path | None, resume: Path | None
) -> tuple[RunDirectory, Preset, checkpoints.Checkpoint | None]:
    """Where to write, what to train and where to start, with nothing written yet."""
    if resume is None:
        preset = resolve(name or FLAGSHIP, epochs=epochs, seed=seed)
        return RunDirectory(out or Path("runs") / f"{preset.name}-seed{preset.seed}"), preset, None
    if out is not None and out != resume:
        raise TrainingError(f"--resume goes on in {resume}; leave --out away")
    run = RunDirectory(resume)
    recorded = run.read_preset()
    if name is not None and name != recorded.name:
        raise TrainingError(f"{resume} trains preset {recorded.name}, not {name}; leave --preset away")
    if seed is not None and seed != recorded.seed:
        raise TrainingError(f"{resume} has seed {recorded.seed}, not {seed}; leave --seed away")
    preset = change(recorded, epochs=epochs)
    start = checkpoints.read(run.last_checkpoint())
    checkpoints.check_preset(start, preset)
    return run, preset, start


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


if __name__ == "__main__":
    typer.run(main)
