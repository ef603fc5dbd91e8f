"""The implementation of training/train.py: plan a run, train its stages, export and evaluate the generator."""

import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from export.build import build, in_float32
from mnistgen import Generator
from mnistgen._model import find
from mnistgen._runtime import usable_cpus
from training.config import Adversarial, Preset, change
from training.data import load_mnist
from training.errors import TrainingError
from training.evaluation.baseline import baseline
from training.interruption import Interrupted, exit_code
from training.presets import DEFAULT, QUICK, resolve
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint
from training.run.device import Compute, choose, make_deterministic
from training.run.directory import RunDirectory
from training.run.distributed import World, check_networks, process_group
from training.run.figures import draw_losses, draw_progress, draw_strip
from training.run.outline import check_preset
from training.run.progress import reporting
from training.stages import RUN
from training.stages.adversarial import check_epochs
from training.stages.context import Context, Evaluation
from training.stages.recorder import GRID_SIZE


def execute(
    run: RunDirectory,
    preset: Preset,
    start: Checkpoint | None,
    device: str,
    data: Path,
    *,
    resumed: bool,
    tensorboard: bool,
    evaluate: bool,
) -> None:
    """Train, export and optionally evaluate, in this process or in all processes of torchrun."""
    if not resumed:
        run.check_new()
    with resume_hint(run):
        with process_group(choose(device).device) as world:
            check_networks(check_preset(preset), world)
            exported = train(run, preset, start, device, data, world, resumed=resumed, tensorboard=tensorboard)
        if world.is_main and evaluate:
            measure(run, preset, exported, data)


def train(
    run: RunDirectory,
    preset: Preset,
    start: Checkpoint | None,
    device: str,
    data: Path,
    world: World,
    *,
    resumed: bool,
    tensorboard: bool,
) -> Checkpoint:
    """Run all stages, or the remaining ones from checkpoint `start`, and export. Every process must call this.

    Returns the checkpoint of the exported generator.
    """
    compute = choose(device)
    if start:
        compute = choose(device, **checkpoints.compute_of(start.header, compute.device))
    for stage in preset.stages:
        world.check_batch(stage.batch_size)
    with world.main_process_first():
        mnist = load_mnist(data, compute.device)
        held_out = baseline(mnist, "quick")
    if start:
        checkpoints.check_data(start, mnist.train.sha256)
        if isinstance(unfinished := preset.stages[start.header.stage], Adversarial):
            check_epochs(unfinished, len(mnist.training_split), start)
    with ExitStack() as stack:
        if world.is_main:
            stack.enter_context(run.owned())
            prepare(run, preset, start, resumed=resumed)
            print(describe(preset, compute, world, run), flush=True)
        world.barrier()
        make_deterministic(compute)
        seconds_before, started = start.header.seconds if start else 0.0, time.monotonic()
        context = Context(
            preset=preset,
            mnist=mnist,
            run=run,
            compute=compute,
            world=world,
            evaluation=Evaluation(held_out.ratio, torch.from_numpy(held_out.target.labels)),
            progress=stack.enter_context(reporting(run, preset, tensorboard=tensorboard))
            if world.is_main
            else lambda *_: None,
            seconds=lambda: seconds_before + time.monotonic() - started,
            announce=partial(print, flush=True) if world.is_main else lambda text: None,
        )
        first = start.header.stage if start else 0
        generators = [compute.place(run.read_generator(preset, index)).requires_grad_(False) for index in range(first)]
        steps = start.header.steps[:-1] if start else ()
        for index, stage in enumerate(preset.stages[first:], first):
            stage_context = replace(context, steps_before=steps, start=start if index == first else None)
            generators.append(RUN[type(stage)](stage, generators, stage_context))
            exported = checkpoints.read(run.generator_path(preset, index))
            steps = exported.header.steps
        if world.is_main:
            finish(run, preset, exported)
    world.barrier()
    return exported


def prepare(run: RunDirectory, preset: Preset, start: Checkpoint | None, *, resumed: bool) -> None:
    """Create the run directory, or rewind it to the checkpoint to resume from (without one, to the beginning)."""
    if resumed:
        run.save_preset(preset)
        run.rewind(*(start.header.stage, start.header.step) if start else (0, 0))
    else:
        run.create(preset)


def describe(preset: Preset, compute: Compute, world: World, run: RunDirectory) -> str:
    """The first line of the log: preset, stages, seed, device and run directory."""
    processes = f" in {world.size} processes" if world.size > 1 else ""
    stages = ", ".join(stage.kind for stage in preset.stages)
    return f"{preset.name}: {stages}; seed {preset.seed}, on {compute}{processes}; writing {run.path}"


def finish(run: RunDirectory, preset: Preset, exported: Checkpoint) -> None:
    """Draw the figures of the run and export its generator."""
    draw_losses(run)
    draw_progress(run)
    draw_strip(run)
    build(exported, run.export)
    run.save_final(Generator(run.export, device="cpu").sample(GRID_SIZE, seed=preset.seed))
    which = f"the {preset.stages[-1].keeps} generator, of step {exported.header.step}"
    print(f"Exported {which}, after {exported.header.seconds / 60:.0f} minutes of training.")
    print(f"Sample from it: mnistgen sample --model {run.export} --out grid.png")


def measure(run: RunDirectory, preset: Preset, exported: Checkpoint, data: Path) -> None:
    """Evaluate the export; a quantized model also in float32, so that its card shows the loss from quantization."""
    from training.evaluation.assessment import assess  # late: its libraries take seconds to import

    forms = [run.export]
    if preset.quantization:
        build(in_float32(exported), run.export_float32)
        forms.append(run.export_float32)
    assess([find(form) for form in forms], run.report, write_card=True, data=data, workers=usable_cpus())


@contextmanager
def resume_hint(run: RunDirectory) -> Iterator[None]:
    """Raises Interrupted with a hint how to resume for any exception that follows a signal."""
    try:
        yield
    except BaseException:
        if not exit_code():
            raise
        hint = f"resume with --resume {shlex.quote(str(run.path))}" if run.exists() else "nothing was written"
        raise Interrupted(f"interrupted; {hint}") from None


def plan(
    name: str | None, epochs: int | None, seed: int | None, out: Path | None, resume: Path | None, *, quick: bool
) -> tuple[RunDirectory, Preset, Checkpoint | None]:
    """Resolve the options to a run directory, a preset and the checkpoint to resume from. Writes nothing.

    Raises PresetError, CheckpointError or TrainingError for invalid or contradictory options.
    """
    if quick and (name not in (None, DEFAULT) or epochs is not None or resume is not None):
        raise TrainingError(f"--quick starts a new run of {DEFAULT}; omit --preset, --epochs and --resume")
    if resume is None:
        preset = change(QUICK, seed=seed) if quick else resolve(name or DEFAULT, epochs=epochs, seed=seed)
        folder = f"{preset.name}-quick" if quick else preset.name
        return RunDirectory(out or Path("runs") / f"{folder}-seed{preset.seed}"), preset, None
    if out is not None and out != resume:
        raise TrainingError(f"--resume continues the run in {resume}; omit --out")
    run = RunDirectory(resume)
    recorded = run.read_preset()
    if name is not None and name != recorded.name:
        raise TrainingError(f"{resume} trains preset {recorded.name}, not {name}; omit --preset")
    if seed is not None and seed != recorded.seed:
        raise TrainingError(f"{resume} has seed {recorded.seed}, not {seed}; omit --seed")
    preset = change(recorded, epochs=epochs)
    start = run.last()
    if start:
        checkpoints.check_preset(start, preset)
    return run, preset, start
