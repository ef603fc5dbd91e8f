"""A run from its arguments to its exported and measured generator: what training/train.py does."""

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
from mnistgen._catalog import find
from mnistgen._devices import usable_cpus
from mnistgen._interruption import Interrupted, exit_code
from training.config import Adversarial, Preset, change
from training.data import load_mnist
from training.errors import TrainingError
from training.evaluation.baseline import baseline
from training.presets import DEFAULT, QUICK, resolve
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint
from training.run.device import Compute, choose, make_deterministic
from training.run.directory import RunDirectory
from training.run.distributed import World, check_networks, joined
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
    """A whole run, or the rest of it from `start`, in this process or in all of torchrun's."""
    if not resumed:
        run.check_new()
    with naming_resume(run):
        with joined(choose(device).device) as world:
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
    """A whole run, or the rest of it from `start`: its stages and its export. All processes call this alike.

    Returns the generator that was exported.
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
            check_epochs(unfinished, len(mnist.fitting), start)
    with ExitStack() as stack:
        if world.is_main:
            stack.enter_context(run.owned())
            prepare(run, preset, start, resumed=resumed)
            print(describe(preset, compute, world, run), flush=True)
        world.barrier()
        make_deterministic(compute)
        before, begun = start.header.seconds if start else 0.0, time.monotonic()
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
            seconds=lambda: before + time.monotonic() - begun,
            announce=partial(print, flush=True) if world.is_main else lambda text: None,
        )
        first = start.header.stage if start else 0
        generators = [compute.place(run.read_generator(preset, index)).requires_grad_(False) for index in range(first)]
        steps = start.header.steps[:-1] if start else ()
        for index, stage in enumerate(preset.stages[first:], first):
            here = replace(context, steps_before=steps, start=start if index == first else None)
            generators.append(RUN[type(stage)](stage, generators, here))
            exported = checkpoints.read(run.generator_path(preset, index))
            steps = exported.header.steps
        if world.is_main:
            finish(run, preset, exported)
    world.barrier()
    return exported


def prepare(run: RunDirectory, preset: Preset, start: Checkpoint | None, *, resumed: bool) -> None:
    """Make the run directory, or take it back to the checkpoint that the run resumes from, or to its beginning."""
    if resumed:
        run.save_preset(preset)
        run.rewind(*(start.header.stage, start.header.step) if start else (0, 0))
    else:
        run.create(preset)


def describe(preset: Preset, compute: Compute, world: World, run: RunDirectory) -> str:
    """The first line of the log."""
    processes = f" in {world.size} processes" if world.size > 1 else ""
    stages = ", ".join(stage.kind for stage in preset.stages)
    return f"{preset.name}: {stages}; seed {preset.seed}, on {compute}{processes}; writing {run.path}"


def finish(run: RunDirectory, preset: Preset, exported: Checkpoint) -> None:
    """Draw the figures of the run, and export its generator."""
    draw_losses(run)
    draw_progress(run)
    draw_strip(run)
    build(exported, run.export)
    run.save_final(Generator(run.export, device="cpu").sample(GRID_SIZE, seed=preset.seed))
    which = f"the {preset.stages[-1].keeps} generator, of step {exported.header.step}"
    print(f"Exported {which}, after {exported.header.seconds / 60:.0f} minutes of training.")
    print(f"Sample from it: mnistgen sample --model {run.export} --out grid.png")


def measure(run: RunDirectory, preset: Preset, exported: Checkpoint, data: Path) -> None:
    """Measure the export; what is quantized also in float32, so that its card says what that cost."""
    from training.evaluation.assessment import assess  # late: its libraries take seconds to import

    forms = [run.export]
    if preset.quantization:
        build(in_float32(exported), run.export_float32)
        forms.append(run.export_float32)
    assess([find(form) for form in forms], run.report, write_card=True, data=data, workers=usable_cpus())


@contextmanager
def naming_resume(run: RunDirectory) -> Iterator[None]:
    """After a signal, whatever it made fail, raises Interrupted that says how to resume."""
    try:
        yield
    except BaseException:
        if not exit_code():
            raise
        how = f"resume with --resume {shlex.quote(str(run.path))}" if run.exists() else "nothing was begun"
        raise Interrupted(f"interrupted; {how}") from None


def plan(
    name: str | None, epochs: int | None, seed: int | None, out: Path | None, resume: Path | None, *, quick: bool
) -> tuple[RunDirectory, Preset, Checkpoint | None]:
    """Where to write, what to train and where to start, with nothing written yet."""
    if quick and (name not in (None, DEFAULT) or epochs is not None or resume is not None):
        raise TrainingError(f"--quick trains {DEFAULT} from its beginning; omit --preset, --epochs and --resume")
    if resume is None:
        preset = change(QUICK, seed=seed) if quick else resolve(name or DEFAULT, epochs=epochs, seed=seed)
        folder = f"{preset.name}-quick" if quick else preset.name
        return RunDirectory(out or Path("runs") / f"{folder}-seed{preset.seed}"), preset, None
    if out is not None and out != resume:
        raise TrainingError(f"--resume continues in {resume}; omit --out")
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
