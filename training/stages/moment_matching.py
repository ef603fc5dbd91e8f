"""The last stretch of a run: the generator's digits take on the moments of real ones' features.

Where the discriminator no longer shows the generator what is left to mend, means and covariances of many features, as
a whole and within each class, still tell it. As no discriminator has to keep up, the generator can learn in the 8 bits
that it will be exported in. After distillation, the teacher's picture for every latent goes on holding it.
"""

import math
import time
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Adam

from training.config import Averaging, Preset
from training.data import Digits
from training.errors import CheckpointError, DivergedError
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import CLASSES, GeneratorNetwork
from training.objectives.comparison import Comparison
from training.objectives.features import fit_networks
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.run.distributed import World
from training.schedules import value_at
from training.stages.adversarial import Progress, Scoring, draw
from training.stages.ema import start_average, update_average


def refine(
    preset: Preset,
    digits: Digits,
    run: RunDirectory,
    compute: Compute,
    *,
    scoring: Scoring,
    teacher: GeneratorNetwork | None = None,
    start: Checkpoint | None = None,
    world: World | None = None,
    report: Progress = lambda step, steps, metrics: None,
) -> Checkpoint:
    """Refine the run's best generator, or go on from `start`, and return the last one, the run's best from then on.

    The last one, for looks differ by chance more than by what is gained between them. Steps count on from those
    before. All processes of a world call this alike. Changes torch's global random state, from which
    everything is drawn.

    A `teacher` goes on holding its student, as the preset's refinement weighs its errors.

    Raises DivergedError when the moments are not finite, CheckpointError for a start that does not fit, and
    TrainingError for a batch that the processes cannot share.
    """
    if preset.refinement is None:
        raise TypeError(f"preset {preset.name} has no refinement")
    how, world = preset.refinement, world or World()
    before = first_steps(preset, digits)
    if teacher is not None:
        held = how.feature_error or how.pixel_error
        teacher = compute.place(teacher) if held else None  # whose errors weigh nothing need not draw
    with world.first_ahead():
        networks = fit_networks(digits, how.networks, how.epochs, compute, preset.seed)
    comparison = Comparison(networks, digits, how, compute)
    torch.manual_seed(preset.seed)
    generator = compute.place(checkpoints.generator_of(checkpoints.read(run.best))).train()
    average, averaging = start_average(generator), Averaging(half_life=how.half_life)
    optimizer = Adam(generator.parameters(), betas=how.betas, fused=True)

    def header() -> checkpoints.Header:
        return checkpoints.Header.of(preset, before + step, digits, compute)

    step = 0
    if start:
        restore(start, generator, average, optimizer, comparison)
        step = start.header.step - before
    elif world.is_first:  # at once, so that from here on the run is being refined
        run.save_checkpoint(capture(header(), generator, average, optimizer, comparison))
    drawn, given_away = (seen(network, preset) for network in (generator, average))
    asked = world.take(one_hot(comparison.labels, CLASSES).float())
    window_start, window = time.perf_counter(), 0

    while step < how.steps:
        if step % how.score_every == 0 and isinstance(drawn, FakeQuantizedGenerator):
            drawn.calibrate()
        learning = step * how.batch_size >= how.memory  # before, the moments are filled
        for group in optimizer.param_groups:
            group["lr"] = value_at(how.learning_rate, step / how.steps)

        # --- digits as users would see them, and their features
        latents = world.take(torch.randn(how.batch_size, preset.latent_dim, device=compute.device))
        with nullcontext() if learning else torch.no_grad():
            with compute.autocast():
                images = drawn(latents, asked)  # (N, 1, 28, 28)
            own = at_levels(images, generator.image_range)
            own_features = comparison.features(own)
            features = world.gather(own_features)

        # --- generator, average, moments
        if learning:
            optimizer.zero_grad()
            loss = comparison.loss(features)
            if teacher is not None:
                with torch.no_grad():
                    with compute.autocast():
                        lesson = teacher(latents, asked)
                    taught = at_levels(lesson, teacher.image_range)
                    taught_features = comparison.features(taught)
                for weight, ours, theirs in (
                    (how.feature_error, own_features, taught_features),
                    (how.pixel_error, own, taught),
                ):
                    loss = loss + value_at(weight, step / how.steps) * world.mean((ours - theirs).square().mean())
            loss.backward()
            world.sum_gradients(generator)
            optimizer.step()
            update_average(average, generator, averaging, step * how.batch_size - how.memory, how.batch_size)
        comparison.remember(features)
        step, window = step + 1, window + 1

        # --- log and look
        looking = step % how.score_every == 0 or step == how.steps
        metrics = None
        if step % preset.log_every == 0 or looking:
            distance = float(comparison.distance())
            if not math.isfinite(distance):
                raise DivergedError(f"moments stopped being finite by step {before + step}; unrefined is {run.best}")
            now = time.perf_counter()
            metrics = {"step": before + step, "moments": distance}
            metrics["images_per_second"] = window * how.batch_size / (now - window_start)
            window = 0
        if looking and metrics is not None:
            if isinstance(given_away, FakeQuantizedGenerator):
                given_away.calibrate()
            metrics["ratio"] = world.tell(lambda: scoring.score(draw(given_away, preset.seed, scoring.labels)))
        if metrics is not None and world.is_first:
            run.append_metrics(metrics)
        if looking and world.is_first:
            run.save_checkpoint(capture(header(), generator, average, optimizer, comparison))
        if metrics is not None:
            window_start = time.perf_counter()
        report(before + step, before + how.steps, metrics)

    if world.is_first:
        run.save_best(checkpoints.capture_generator(average, header()))
    world.wait()
    return checkpoints.read(run.best)


def first_steps(preset: Preset, digits: Digits) -> int:
    """The steps before refinement."""
    if preset.distillation:
        return preset.distillation.steps
    return preset.epochs * (len(digits) // preset.batch_size)


def seen(network: GeneratorNetwork, preset: Preset) -> GeneratorNetwork:
    """The network as its export will be: behind 8 bits where the preset is quantized."""
    return FakeQuantizedGenerator(network) if preset.quantization else network


def at_levels(images: Tensor, image_range: tuple[float, float]) -> Tensor:
    """Images in the range of a generator as grey levels from 0 to 1; the gradient passes the rounding unchanged."""
    low, high = image_range
    pixels = (images - low) / (high - low)
    return pixels + ((pixels * 255).round() / 255 - pixels).detach()


def is_refined(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is of refinement, and not of what comes before."""
    return any(name.startswith("moments.") for name in checkpoint.tensors)


def check_epochs(start: Checkpoint, preset: Preset, digits: int) -> None:
    """Refuse to go on with fewer epochs than are done, or with others once refinement has begun.

    Raises CheckpointError.
    """
    if preset.distillation:
        return  # it has none
    if not is_refined(start):
        checkpoints.check_epochs(start, preset, digits)
    elif preset.epochs != start.header.preset.epochs:
        raise CheckpointError(
            f"epochs: all {start.header.preset.epochs} are done and the generator is being refined, "
            f"got {preset.epochs}; leave --epochs away"
        )


def capture(
    header: checkpoints.Header, generator: nn.Module, average: nn.Module, optimizer: Adam, comparison: Comparison
) -> Checkpoint:
    """The whole state of a refinement; the features' networks are fitted again from the seed."""
    tensors = checkpoints.random_state(header.device)
    for name, network in (("generator", generator), ("average", average)):
        tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    tensors |= checkpoints.optimizer_tensors("generator_optimizer", optimizer)
    for name, moments in comparison.parts().items():
        tensors |= {f"moments.{name}.{key}": value for key, value in moments.state().items()}
    return Checkpoint(header, {name: value.cpu().contiguous() for name, value in tensors.items()})


def restore(
    checkpoint: Checkpoint, generator: nn.Module, average: nn.Module, optimizer: Adam, comparison: Comparison
) -> None:
    """Put the whole state back, torch's random state too. Raises CheckpointError where something does not fit."""
    with checkpoints.fitting(checkpoint):
        for name, network in (("generator", generator), ("average", average)):
            network.load_state_dict(checkpoint.part(name))
        checkpoints.restore_optimizer(optimizer, checkpoint.part("generator_optimizer"))
        for name, moments in comparison.parts().items():
            moments.restore(checkpoint.part(f"moments.{name}"))
        checkpoints.restore_random_state(checkpoint)
