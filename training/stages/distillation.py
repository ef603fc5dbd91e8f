"""A run's first stretch without an adversary: a small generator learns to draw what a larger one draws.

Where a discriminator would outpace so small a generator, the teacher shows it the picture for every latent, and as many
of them as it wants: no other network has to run, so that it learns from twenty times as many digits in the same time.
Sources: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531);
A. Aguinaldo et al., "Compressing GANs using Knowledge Distillation", 2019 (arXiv:1902.00159), section 3.
"""

import time

import torch
from torch import Tensor
from torch.optim import Adam

from training.config import Preset
from training.data import Digits
from training.networks import build_generator
from training.networks.generator import CLASSES, GeneratorNetwork
from training.networks.inputs import classes_of, every_digit, fixed_inputs
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.run.distributed import World, synchronise
from training.schedules import value_at
from training.stages.adversarial import GRID_SIZE, Progress, Scoring, check_finite, draw, view


def distil(
    preset: Preset,
    digits: Digits,
    run: RunDirectory,
    compute: Compute,
    *,
    scoring: Scoring,
    teacher: GeneratorNetwork,
    start: Checkpoint | None = None,
    world: World | None = None,
    report: Progress = lambda step, steps, metrics: None,
) -> Checkpoint:
    """Distil a teacher from the beginning, or from `start`, and return the last generator, the run's best.

    The digits are not looked at, but what the teacher learned from. All processes of a world call this alike. Changes
    torch's global random state, from which everything is drawn.

    Raises CheckpointError for a start that does not fit, DivergedError when the error is not finite, and TrainingError
    for a batch that the processes cannot share.
    """
    how, world = preset.distillation, world or World()
    if how is None:
        raise TypeError(f"preset {preset.name} has no distillation")
    teacher = compute.place(teacher)
    torch.manual_seed(preset.seed)
    generator = compute.place(build_generator(preset.architecture, preset.latent_dim, preset.generator)).train()
    synchronise(generator, world)
    optimizer = Adam(generator.parameters(), betas=how.betas, fused=True)
    step = 0
    if start:
        restore(start, generator, optimizer)
        step = start.header.step

    def header() -> checkpoints.Header:
        return checkpoints.Header.of(preset, step, digits, compute)

    labels = torch.arange(CLASSES, device=compute.device).repeat_interleave(how.batch_size // CLASSES)
    asked = classes_of(generator, world.take(labels))
    viewed = fixed_inputs(generator, preset.seed, every_digit(GRID_SIZE)).to(compute.device)
    window: list[Tensor] = []  # errors since the last line of metrics, on the device
    window_start = time.perf_counter()

    while step < how.steps:
        for group in optimizer.param_groups:
            group["lr"] = value_at(how.learning_rate, step / how.steps)

        # --- the same latents to both
        latents = world.take(torch.randn(how.batch_size, preset.latent_dim, device=compute.device))
        with compute.autocast():
            with torch.no_grad():
                lesson = teacher(latents, *asked)  # (N, 1, 28, 28)
            images = generator(latents, *asked)
        error = world.mean((images - lesson).square().mean())
        optimizer.zero_grad()
        error.backward()
        world.sum_gradients(generator)
        optimizer.step()
        window.append(error.detach())
        step += 1

        # --- log, look, samples, checkpoint
        looking = step % how.score_every == 0 or step == how.steps
        metrics = None
        if step % preset.log_every == 0 or looking:
            mean = float(check_finite(torch.stack(window)[:, None].cpu(), step, run))
            rate = len(window) * how.batch_size / (time.perf_counter() - window_start)
            metrics = {"step": step, "teacher_error": mean, "images_per_second": rate}
            window = []
        if looking and metrics is not None:
            generator.eval()
            metrics["ratio"] = world.tell(lambda: scoring.score(draw(generator, preset.seed, scoring.labels)))
            if world.is_first:
                run.save_samples(step, view(generator, viewed))
            generator.train()
        if metrics is not None and world.is_first:
            run.append_metrics(metrics)
        if looking and world.is_first:
            run.save_checkpoint(capture(header(), generator, optimizer))
        if metrics is not None:
            window_start = time.perf_counter()
        report(step, how.steps, metrics)

    if world.is_first:
        run.save_best(checkpoints.capture_generator(generator, header()))
    world.wait()
    return checkpoints.read(run.best)


def capture(header: checkpoints.Header, generator: GeneratorNetwork, optimizer: Adam) -> Checkpoint:
    """The whole state of a distillation."""
    tensors = checkpoints.random_state(header.device)
    tensors |= {f"generator.{key}": value for key, value in generator.state_dict().items()}
    tensors |= checkpoints.optimizer_tensors("generator_optimizer", optimizer)
    return Checkpoint(header, {name: value.cpu().contiguous() for name, value in tensors.items()})


def restore(checkpoint: Checkpoint, generator: GeneratorNetwork, optimizer: Adam) -> None:
    """Put the whole state back, torch's random state too. Raises CheckpointError where something does not fit."""
    with checkpoints.fitting(checkpoint):
        generator.load_state_dict(checkpoint.part("generator"))
        checkpoints.restore_optimizer(optimizer, checkpoint.part("generator_optimizer"))
        checkpoints.restore_random_state(checkpoint)
