"""The training loop, laid open: discriminator step, generator step, average, log, look, samples, checkpoint."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from mnistgen.images import UInt8, to_uint8
from training.config import Penalties, Preset
from training.data import Digits
from training.errors import CheckpointError, DivergedError, TrainingError
from training.networks.generator import GeneratorNetwork
from training.networks.inputs import Inputs, classes_of, every_digit, fixed_inputs
from training.objectives.losses import LOSSES
from training.objectives.penalties import PENALTIES
from training.objectives.penalties import Score as ScoreImages
from training.players import build_players
from training.run import checkpoint as checkpoints
from training.run.device import Compute
from training.run.directory import RunDirectory
from training.run.distributed import World
from training.schedules import value_at
from training.stages.ema import update_average

CHUNK = 500  # digits drawn at once for a look
GRID_SIZE = 100  # fixed latents that every grid of a run shows

# What the loop reports after each step: the step done, all steps, and a line of metrics when one was written.
Progress = Callable[[int, int, dict[str, float] | None], None]
# Generated digits uint8 (N, 28, 28) -> how far they are from real ones that were held out; the lower the better.
Score = Callable[[UInt8], float]


@dataclass(frozen=True)
class Scoring:
    """How checkpoints are chosen."""

    score: Score
    labels: Tensor  # int64 (N,): of the generated digits that it takes; a count alone to an unconditional generator


def train(
    preset: Preset,
    digits: Digits,
    run: RunDirectory,
    compute: Compute,
    *,
    scoring: Scoring | None = None,
    start: checkpoints.Checkpoint | None = None,
    world: World | None = None,
    report: Progress = lambda step, steps, metrics: None,
) -> checkpoints.Checkpoint:
    """Train a preset on the digits from its beginning, or from `start`, and return the generator to give away.

    That is the one of the lowest score, or without `scoring` the last. In a world of several processes, all call this
    alike; the first writes the files and scores. Changes torch's global random state, from which everything is drawn.

    Raises DivergedError when a loss is not finite, TrainingError for digits fewer than a batch and for a batch that the
    processes cannot share.
    """
    batches = len(digits) // preset.batch_size  # each epoch leaves out a few digits, others each time
    if batches == 0:
        raise TrainingError(f"batch_size: expected at most the {len(digits)} digits, got {preset.batch_size}")
    steps = preset.epochs * batches
    loss = LOSSES[preset.loss]()
    world = world or World()

    torch.manual_seed(preset.seed)
    players = build_players(preset, compute, world)
    step = 0
    if start:
        checkpoints.restore(start, players)
        step = start.header.step
    generator, discriminator = players.generator, players.discriminator
    viewed = fixed_inputs(generator, preset.seed, every_digit(GRID_SIZE)).to(compute.device)
    sample_interval = preset.sample_every * (batches if preset.sample_unit == "epoch" else 1)
    score_interval = preset.score_every * batches
    scores = [line["ratio"] for line in run.read_metrics() if "ratio" in line]  # one for each look so far
    window: list[Tensor] = []  # losses and scores since the last line of metrics, on the device
    window_start = time.perf_counter()
    order = torch.empty(0)

    while step < steps and not is_stale(scores, preset.patience):
        players.set_rates(preset, step / steps)

        # --- data: every epoch has an order of its own, which depends on seed and epoch alone
        epoch, batch = divmod(step, batches)
        if batch == 0 or not len(order):
            order = epoch_order(len(digits), preset.seed, epoch).to(compute.device)
        indices = order[batch * preset.batch_size : (batch + 1) * preset.batch_size]
        own = world.take(indices)
        real = digits.batch(own, generator.image_range)  # (N, 1, 28, 28)
        asked = classes_of(generator, digits.labels[own])  # generated digits are of the real ones' classes
        latents = world.take(torch.randn(preset.batch_size, preset.latent_dim, device=compute.device))

        # --- discriminator: tell real from generated
        with compute.autocast():
            fake = generator(latents, *asked)  # (N, D) -> (N, 1, 28, 28)
            real_scores = world.gather(discriminator(real, *asked))  # -> (N,), of all processes
            fake_scores = world.gather(discriminator(fake.detach(), *asked))
        discriminator_loss = loss.discriminator(real_scores, fake_scores)
        players.discriminator_optimizer.zero_grad()
        discriminator_loss.backward()
        if preset.penalties and step % preset.penalties.every == 0:
            score = partial(_score, discriminator, asked)
            with compute.autocast() if preset.penalties.mixed else nullcontext():
                due = penalise(preset.penalties, step / steps, score, real, fake.detach(), world)
            due.backward()
        world.sum_gradients(discriminator)
        players.discriminator_optimizer.step()

        # --- generator: pass for real; the discriminator's own gradients are not needed
        discriminator.requires_grad_(False)
        with compute.autocast():
            scored = world.gather(discriminator(fake, *asked))
            against = world.gather(discriminator(real, *asked)) if loss.paired else None
        generator_loss = loss.generator(scored, against)
        players.generator_optimizer.zero_grad()
        generator_loss.backward()
        world.sum_gradients(generator)
        players.generator_optimizer.step()
        discriminator.requires_grad_(True)

        # --- average
        if players.average is not None and preset.average is not None:
            update_average(players.average, generator, preset.average, step * preset.batch_size, preset.batch_size)
        step += 1

        # --- log: averages since the last line; nothing waits for the device in between
        window.append(
            torch.stack(
                [
                    discriminator_loss.detach(),
                    generator_loss.detach(),
                    loss.probability(real_scores.detach()),
                    loss.probability(fake_scores.detach()),
                ]
            )
        )
        looking = scoring is not None and (step % score_interval == 0 or step == steps)
        saving = step % preset.checkpoint_every == 0 or step == steps or looking
        metrics = None
        if step % preset.log_every == 0 or saving:
            means = check_finite(torch.stack(window).cpu(), step, run)
            now = time.perf_counter()
            rate = len(window) * preset.batch_size / (now - window_start)
            names = ("discriminator_loss", "generator_loss", "real_score", "fake_score")
            metrics = {"step": step, "epoch": epoch} | dict(zip(names, means.tolist(), strict=True))
            metrics["images_per_second"] = rate
            window = []

        # --- look: how far from real digits is what would be given away?
        header = checkpoints.Header.of(preset, step, digits, compute)
        if looking and scoring is not None and metrics is not None:
            with players.given_away(preset) as network:
                ratio = world.tell(lambda: scoring.score(draw(network, preset.seed, scoring.labels)))
                if world.is_first and ratio < min(scores, default=math.inf):
                    run.save_best(checkpoints.capture_generator(network, header))
            scores.append(ratio)
            metrics["ratio"] = ratio

        if metrics is not None:
            if world.is_first:
                run.append_metrics(metrics)
            window_start = time.perf_counter()

        # --- samples: the same latents every time
        if step % sample_interval == 0 or step == steps:
            with players.given_away(preset) as network:
                samples = view(network, viewed)
            if world.is_first:
                run.save_samples(step, samples)

        # --- checkpoint
        if saving and world.is_first:
            run.save_checkpoint(checkpoints.capture(players, header))
        report(step, steps, metrics)

    world.wait()
    if scoring is None:
        last = checkpoints.read(run.last_checkpoint())
        return checkpoints.capture_generator(checkpoints.generator_of(last), last.header)
    return checkpoints.read(run.best)


def penalise(
    penalties: Penalties, progress: float, score: ScoreImages, real: Tensor, fake: Tensor, world: World
) -> Tensor:
    """The discriminator's weighted penalties, a scalar, float32."""
    shares = world.take(torch.rand(world.size * len(real), 1, 1, 1, device=real.device))
    due = [world.mean(PENALTIES[kind](score, real, fake, shares)) for kind in penalties.kinds]
    return torch.stack(due).sum() * value_at(penalties.weight, progress) * penalties.every


def _score(discriminator: nn.Module, asked: tuple[Tensor, ...], images: Tensor) -> Tensor:
    """Images as scores, under the labels of the batch."""
    scores: Tensor = discriminator(images, *asked)
    return scores


def is_stale(scores: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` scores were none of them better than the best before; never for patience 0."""
    return 0 < patience < len(scores) and min(scores[-patience:]) >= min(scores[:-patience])


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """A permutation, int64 (count,), that depends on seed and epoch alone."""
    source = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(count, generator=source)


def check_finite(window: Tensor, step: int, run: RunDirectory) -> Tensor:
    """The means (4,) of a window (steps, 4) that ended with `step`. Raises DivergedError, naming the first bad step."""
    finite = window.isfinite().all(dim=1)
    if not finite.all():
        first = step - len(window) + 1 + int(finite.int().argmin())
        try:
            good = f"the last good checkpoint is {run.last_checkpoint()}"
        except CheckpointError:
            good = "there is no checkpoint before it"
        raise DivergedError(f"the losses stopped being finite at step {first}; {good}")
    return window.mean(dim=0)


def draw(generator: GeneratorNetwork, seed: int, labels: Tensor) -> UInt8:
    """Digits uint8 (N, 28, 28) of the labels (N,), from latents that depend on the seed alone."""
    inputs = fixed_inputs(generator, seed, labels).to(next(generator.parameters()).device)
    return np.concatenate([view(generator, part) for part in inputs.split(CHUNK)])


@torch.no_grad()
def view(generator: GeneratorNetwork, inputs: Inputs) -> UInt8:
    """What users would see of these inputs: uint8 (N, 28, 28); the generator is in evaluation mode."""
    images = generator(*inputs)
    low, high = generator.image_range
    pixels = ((images - low) / (high - low)).squeeze(1)  # (N, 1, 28, 28) -> (N, 28, 28) in [0, 1]
    return to_uint8(pixels.cpu().contiguous().numpy())
