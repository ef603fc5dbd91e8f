"""Train one preset on MNIST, then export the result: python training/train.py --preset dcgan."""

if __name__ == "__main__":  # before all that takes long to import, so that Ctrl-C is one line there too
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository, whatever folder this is called from
    from training.run.script import run

    run("training.train")

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from export.build import build, in_float32
from mnistgen import Generator
from mnistgen.catalog import find
from mnistgen.cpus import usable_cpus
from mnistgen.interruption import Interrupted, exit_code
from training.config import Preset, change, to_json
from training.data import load_mnist
from training.errors import TrainingError
from training.evaluation.baseline import yardstick
from training.presets import PRESETS, resolve
from training.run import checkpoint as checkpoints
from training.run.device import Compute, choose, make_deterministic
from training.run.directory import RunDirectory
from training.run.distributed import World, joined
from training.run.figures import draw_losses, draw_progress, draw_strip
from training.run.progress import reporting
from training.stages.adversarial import GRID_SIZE, Scoring, train
from training.stages.distillation import distil
from training.stages.moment_matching import check_epochs, is_refined, refine
from training.teachers import collect, given_teachers, teacher_of

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
    teachers: Annotated[
        Path | None,
        typer.Option(
            help="Folder with NAME.safetensors of the preset's teachers, as training/weights/teachers.",
            show_default="trained first, in RUN/teachers",
        ),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log to RUN/tensorboard too.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the resolved preset and stop.")] = False,
) -> None:
    """Train one preset on MNIST, then export the result and, for the default model, measure it.

    Example: python training/train.py --preset mlp --epochs 5
    """
    run, chosen, start = plan(preset, epochs, seed, out, resume)
    if dry_run:
        print(json.dumps(to_json(chosen), indent=2))
        return
    if resume is None:
        run.check_new()
    with naming_resume(run):
        with joined(choose(device, chosen.architecture).device) as world:
            around = Surroundings(device, data, teachers, tensorboard, world)
            best = carry_out(run, chosen, start, around, begun=resume is not None)
        if world.is_first and (chosen.name == FLAGSHIP if evaluate is None else evaluate):
            measure(run, chosen, best, data)


@contextmanager
def naming_resume(run: RunDirectory) -> Iterator[None]:
    """After a signal, whatever it made fail, raises Interrupted that says how to go on."""
    try:
        yield
    except BaseException:
        if not exit_code():
            raise
        how = f"go on with --resume {shlex.quote(str(run.path))}" if run.exists() else "nothing was begun"
        raise Interrupted(f"interrupted; {how}") from None


@dataclass(frozen=True)
class Surroundings:
    """What a run and its teachers' runs share."""

    device: str
    data: Path
    teachers: Path | None  # where their weights are
    tensorboard: bool
    world: World


def carry_out(
    run: RunDirectory, preset: Preset, start: checkpoints.Checkpoint | None, around: Surroundings, *, begun: bool
) -> checkpoints.Checkpoint:
    """A whole run, or the rest of it from `start`: its teachers, where they are not given, its stages and its export.

    All processes call this alike, and get the generator that was exported.
    """
    world = around.world
    compute = choose(around.device, preset.architecture)
    if start:
        compute = choose(around.device, preset.architecture, **checkpoints.compute_of(start.header, compute.device))
    for stage in (preset.distillation or preset, preset.refinement):
        if stage:
            world.share(stage.batch_size)
    with world.first_ahead():
        mnist = load_mnist(around.data, compute.device)
        held_out = yardstick(mnist, "quick")
    if start:
        checkpoints.check_data(start, mnist.train.sha256)
        check_epochs(start, preset, len(mnist.fitting))
    given = given_teachers(preset, around.teachers)
    with ExitStack() as stack:
        if world.is_first:
            stack.enter_context(run.owned())
            prepare(run, preset, start, begun)
            print(describe(preset, compute, world, run), flush=True)
        world.wait()
        taught = collect(preset, run, given, world, partial(carry_on, around=replace(around, teachers=None)))
        teacher = compute.place(teacher_of(preset, taught)) if taught else None
        make_deterministic(compute)
        scoring = Scoring(held_out.ratio, torch.from_numpy(held_out.target.labels))
        report = stack.enter_context(reporting(run, start.header.step if start else 0, world, around.tensorboard))
        shared: dict[str, Any] = {"scoring": scoring, "world": world, "report": report}
        if start is None or not is_refined(start):
            begin = train if teacher is None else partial(distil, teacher=teacher)
            best = begin(preset, mnist.fitting, run, compute, start=start, **shared)
            start = None
        if preset.refinement:
            best = refine(preset, mnist.fitting, run, compute, teacher=teacher, start=start, **shared)
        if world.is_first:
            finish(run, preset, best)
    world.wait()
    return best


def carry_on(run: RunDirectory, preset: Preset, around: Surroundings) -> checkpoints.Checkpoint:
    """A teacher's run from wherever it is, its beginning included."""
    return carry_out(run, preset, run.last(), around, begun=run.exists())


def prepare(run: RunDirectory, preset: Preset, start: checkpoints.Checkpoint | None, begun: bool) -> None:
    """Make the run directory, or take it back to the checkpoint that the run goes on from, or to its beginning."""
    if begun:
        run.save_preset(preset)
        run.rewind(start.header.step if start else 0)
    else:
        run.create(preset)


def describe(preset: Preset, compute: Compute, world: World, run: RunDirectory) -> str:
    """The first line of the log."""
    processes = f" in {world.size} processes" if world.size > 1 else ""
    how = preset.distillation
    teachers = " and ".join(preset.teacher or ())
    course = f"distilled from {teachers} in {how.steps:,} steps" if how else f"{preset.epochs} epochs"
    return f"{preset.name}: {course}, seed {preset.seed}, on {compute}{processes}; writing {run.path}"


def finish(run: RunDirectory, preset: Preset, best: checkpoints.Checkpoint) -> None:
    """Draw what the run was like, and export its best generator."""
    draw_losses(run)
    draw_progress(run)
    draw_strip(run)
    build(best, run.export)
    run.save_final(Generator(run.export, device="cpu").sample(GRID_SIZE, seed=preset.seed))
    why = "refined" if preset.refinement else "which came closest to the held-out digits"
    print(f"Exported the generator of step {best.header.step}, {why}.")
    print(f"Sample from it: mnistgen sample --model {run.export} --out grid.png")


def measure(run: RunDirectory, preset: Preset, best: checkpoints.Checkpoint, data: Path) -> None:
    """Measure the export; what is quantized also in float32, so that its card says what that cost."""
    from training.evaluation.assessment import assess  # late: its libraries take seconds to import

    forms = [run.export]
    if preset.quantization:
        build(in_float32(best), run.export_float32)
        forms.append(run.export_float32)
    assess([find(form) for form in forms], run.report, write_card=True, data=data, workers=usable_cpus())


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
    start = run.last()
    if start:
        checkpoints.check_preset(start, preset)
    return run, preset, start
