"""The last stretch of a run: the generator's digits take on the moments of real ones' features.

Where the discriminator no longer shows the generator what is left to mend, means and covariances of many features, as
a whole and within each class, still tell it. As no discriminator has to keep up, the generator can learn in the 8 bits
that it will be exported in.
"""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim import Adam

from training import checkpoint as checkpoints
from training.averaging import start_average, update_average
from training.checkpoint import Checkpoint
from training.compute import Compute
from training.data import Digits
from training.distributed import World
from training.emulation import EmulatedGenerator
from training.errors import CheckpointError, DivergedError
from training.feature_networks import FeatureNetwork, fit_networks
from training.loop import Progress, Scoring, draw
from training.models.network import CLASSES, GeneratorNetwork
from training.moments import Moments
from training.presets import Averaging, Preset, Refinement
from training.run_directory import RunDirectory
from training.schedules import value_at

CHUNK = 500  # real digits at once
FAINT = 0.02  # of the mean deviation: features that vary less are standardised as if they varied so much


class Comparison:
    """Moments of generated digits' features against those of real digits.

    Each network gives one or two groups of features. Every group is compared over all digits, and the final features
    of the networks that have learned also within each class.
    """

    def __init__(self, networks: Sequence[FeatureNetwork], digits: Digits, how: Refinement, compute: Compute) -> None:
        self.networks, self.compute = networks, compute
        device = digits.images.device
        self.shares = digits.counts().float() / len(digits)  # (10,)
        rows = how.batch_size // CLASSES
        self.labels = torch.arange(CLASSES, device=device).repeat_interleave(rows)  # (N,), class after class
        self.weights = (self.shares[self.labels] / rows)[None]  # (1, N): digits as often as among real ones
        self.even = torch.full((CLASSES, rows), 1 / rows, device=device)
        self.within_weight = how.within

        with torch.no_grad():
            chunks = torch.arange(len(digits), device=device).split(CHUNK)
            raw = torch.cat([self._raw(digits.batch(chunk, (0.0, 1.0))) for chunk in chunks])
        self.mean, deviation = raw.mean(dim=0), raw.std(dim=0)
        floors = [group.mean().mul(FAINT).expand_as(group) for group in self._groups(deviation)]
        self.deviation = torch.maximum(deviation, torch.cat(floors))
        groups = self._groups((raw - self.mean) / self.deviation)
        memory = how.memory / how.batch_size
        self.overall = [Moments([group], memory) for group in groups]
        self.within = {
            index: Moments([groups[index][digits.labels == label] for label in range(CLASSES)], memory)
            for index in self._final
        }

    def features(self, images: Tensor) -> Tensor:
        """Images float32 (N, 1, 28, 28), ink 1, paper 0 -> all features, standardised (N, F)."""
        return (self._raw(images) - self.mean) / self.deviation

    def loss(self, features: Tensor) -> Tensor:
        """What the batch (N, F), of `labels`, is to lower: a scalar whose gradient alone means something."""
        groups = self._groups(features)
        total = torch.stack(
            [moments.loss(group[None], self.weights).sum() for moments, group in zip(self.overall, groups, strict=True)]
        ).sum()
        for index, moments in self.within.items():
            by_class = groups[index].unflatten(0, (CLASSES, -1))  # (10, N / 10, D)
            total = total + self.within_weight * (self.shares * moments.loss(by_class, self.even)).sum()
        return total

    def remember(self, features: Tensor) -> None:
        """Take the batch (N, F) into the running moments."""
        groups = self._groups(features.detach())
        for moments, group in zip(self.overall, groups, strict=True):
            moments.remember(group[None], self.weights)
        for index, moments in self.within.items():
            moments.remember(groups[index].unflatten(0, (CLASSES, -1)), self.even)

    def distance(self) -> Tensor:
        """The sum of the distances over all digits, a scalar; chance is part of it."""
        return torch.cat([moments.distances() for moments in self.overall]).sum()

    def parts(self) -> dict[str, Moments]:
        """All moments by name, for checkpoints."""
        overall = {f"overall-{index}": moments for index, moments in enumerate(self.overall)}
        return overall | {f"within-{index}": moments for index, moments in self.within.items()}

    def _raw(self, images: Tensor) -> Tensor:
        with self.compute.autocast():
            return torch.cat([group for network in self.networks for group in network.compared(images)], dim=1)

    @property
    def _sizes(self) -> list[int]:
        return [size for network in self.networks for size in network.sizes]

    def _groups(self, features: Tensor) -> tuple[Tensor, ...]:
        groups: tuple[Tensor, ...] = features.split(self._sizes, dim=-1)
        return groups

    @property
    def _final(self) -> list[int]:
        """Which groups are final features."""
        counts = [1 + network.has_learned for network in self.networks]
        ends = torch.tensor(counts).cumsum(0) - 1
        return [int(end) for end, network in zip(ends, self.networks, strict=True) if network.has_learned]


def refine(
    preset: Preset,
    digits: Digits,
    run: RunDirectory,
    compute: Compute,
    *,
    scoring: Scoring,
    start: Checkpoint | None = None,
    world: World | None = None,
    report: Progress = lambda step, steps, metrics: None,
) -> Checkpoint:
    """Refine the run's best generator, or go on from `start`, and return the last one, the run's best from then on.

    The last one, for looks differ by chance more than by what is gained between them. Steps count on from those of
    adversarial training. All processes of a world call this alike. Changes torch's global random state, from which
    everything is drawn.

    Raises DivergedError when the moments are not finite, CheckpointError for a start that does not fit, and
    TrainingError for a batch that the processes cannot share.
    """
    if preset.refinement is None:
        raise TypeError(f"preset {preset.name} has no refinement")
    how, world = preset.refinement, world or World()
    before = adversarial_steps(preset, digits)
    comparison = Comparison(fit_networks(digits, how.epochs, compute, preset.seed), digits, how, compute)
    torch.manual_seed(preset.seed)
    generator = compute.place(checkpoints.generator_of(checkpoints.read(run.best))).train()
    average, averaging = start_average(generator), Averaging(half_life=how.half_life)
    optimizer = Adam(generator.parameters(), betas=how.betas, fused=True)

    def header() -> checkpoints.Header:
        return checkpoints.Header(
            preset=preset,
            step=before + step,
            data_sha256=digits.sha256,
            device=compute.device.type,
            precision=compute.precision,
            threads=compute.threads,
        )

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
        if step % how.score_every == 0 and isinstance(drawn, EmulatedGenerator):
            drawn.calibrate()
        learning = step * how.batch_size >= how.memory  # before, the moments are filled
        for group in optimizer.param_groups:
            group["lr"] = value_at(how.learning_rate, step / how.steps)

        # --- digits as users would see them, and their features
        latents = world.take(torch.randn(how.batch_size, preset.latent_dim, device=compute.device))
        with nullcontext() if learning else torch.no_grad():
            with compute.autocast():
                images = drawn(latents, asked)  # (N, 1, 28, 28)
            features = world.gather(comparison.features(at_levels(images, generator.image_range)))

        # --- generator, average, moments
        if learning:
            optimizer.zero_grad()
            comparison.loss(features).backward()
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
            metrics = {"step": before + step, "epoch": preset.epochs, "moments": distance}
            metrics["images_per_second"] = window * how.batch_size / (now - window_start)
            window = 0
        if looking and metrics is not None:
            if isinstance(given_away, EmulatedGenerator):
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


def adversarial_steps(preset: Preset, digits: Digits) -> int:
    """The steps before refinement."""
    return preset.epochs * (len(digits) // preset.batch_size)


def seen(network: GeneratorNetwork, preset: Preset) -> GeneratorNetwork:
    """The network as its export will be: behind 8 bits where the preset is quantised."""
    return EmulatedGenerator(network) if preset.quantisation else network


def at_levels(images: Tensor, image_range: tuple[float, float]) -> Tensor:
    """Images in the range of a generator as grey levels from 0 to 1; the gradient passes the rounding unchanged."""
    low, high = image_range
    pixels = (images - low) / (high - low)
    return pixels + ((pixels * 255).round() / 255 - pixels).detach()


def is_refined(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is of refinement, and not of adversarial training."""
    return any(name.startswith("moments.") for name in checkpoint.tensors)


def check_epochs(start: Checkpoint, preset: Preset, digits: int) -> None:
    """Refuse to go on with fewer epochs than are done, or with others once refinement has begun.

    Raises CheckpointError.
    """
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
