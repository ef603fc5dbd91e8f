"""The training loop, laid open: discriminator step, generator step, log, samples, checkpoint."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from mnistgen.images import UInt8, to_uint8
from training import checkpoint as checkpoints
from training.compute import Compute
from training.data import Digits
from training.errors import CheckpointError, DivergedError, TrainingError
from training.losses import LOSSES
from training.players import Players, build_players, fixed_latents
from training.presets import Preset
from training.run_directory import RunDirectory

GRID_SIZE = 100  # fixed latents that every grid of a run shows

# What the loop reports after each step: the step done, all steps, and a line of metrics when one was written.
Progress = Callable[[int, int, dict[str, float] | None], None]


def train(
    preset: Preset,
    digits: Digits,
    run: RunDirectory,
    compute: Compute,
    *,
    start: checkpoints.Checkpoint | None = None,
    report: Progress = lambda step, steps, metrics: None,
) -> checkpoints.Checkpoint:
    """Train a preset on the digits from its beginning, or from `start`, and return the last checkpoint.

    Changes torch's global random state, from which everything is drawn. Raises DivergedError when a loss is not finite,
    TrainingError for digits fewer than a batch.
    """
    batches = len(digits) // preset.batch_size  # each epoch leaves out a few digits, others each time
    if batches == 0:
        raise TrainingError(f"batch_size: expected at most the {len(digits)} digits, got {preset.batch_size}")
    steps = preset.epochs * batches
    loss = LOSSES[preset.loss]()

    torch.manual_seed(preset.seed)
    players = build_players(preset, compute)
    step = 0
    if start:
        checkpoints.restore(start, players)
        step = start.header.step
    generator, discriminator = players.generator, players.discriminator
    viewed_latents = fixed_latents(preset, GRID_SIZE).to(compute.device)
    sample_interval = preset.sample_every * (batches if preset.sample_unit == "epoch" else 1)
    window: list[Tensor] = []  # losses and scores since the last line of metrics, on the device
    window_start = time.perf_counter()
    order = torch.empty(0)

    while step < steps:
        # --- data: every epoch has an order of its own, which depends on seed and epoch alone
        epoch, batch = divmod(step, batches)
        if batch == 0 or not len(order):
            order = epoch_order(len(digits), preset.seed, epoch).to(compute.device)
        indices = order[batch * preset.batch_size : (batch + 1) * preset.batch_size]
        real = digits.batch(indices, generator.image_range)  # (N, 1, 28, 28)
        latents = torch.randn(preset.batch_size, preset.latent_dim, device=compute.device)

        # --- discriminator: tell real from generated
        with compute.autocast():
            fake = generator(latents)  # (N, D) -> (N, 1, 28, 28)
            real_scores = discriminator(real)  # -> (N,)
            fake_scores = discriminator(fake.detach())
        discriminator_loss = loss.discriminator(real_scores, fake_scores)
        players.discriminator_optimizer.zero_grad()
        discriminator_loss.backward()
        players.discriminator_optimizer.step()

        # --- generator: pass for real; the discriminator's own gradients are not needed
        discriminator.requires_grad_(False)
        with compute.autocast():
            scores = discriminator(fake)
        generator_loss = loss.generator(scores)
        players.generator_optimizer.zero_grad()
        generator_loss.backward()
        players.generator_optimizer.step()
        discriminator.requires_grad_(True)
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
        saving = step % preset.checkpoint_every == 0 or step == steps
        metrics = None
        if step % preset.log_every == 0 or saving:
            means = check_finite(torch.stack(window).cpu(), step, run)
            now = time.perf_counter()
            rate = len(window) * preset.batch_size / (now - window_start)
            names = ("discriminator_loss", "generator_loss", "real_score", "fake_score")
            metrics = {"step": step, "epoch": epoch} | dict(zip(names, means.tolist(), strict=True))
            metrics["images_per_second"] = rate
            run.append_metrics(metrics)
            window, window_start = [], now

        # --- samples: the same latents every time
        if step % sample_interval == 0 or step == steps:
            run.save_samples(step, view(players, viewed_latents))

        # --- checkpoint
        if saving:
            header = checkpoints.Header(
                preset=preset,
                step=step,
                data_sha256=digits.sha256,
                device=compute.device.type,
                precision=compute.precision,
                threads=compute.threads,
            )
            run.save_checkpoint(checkpoints.capture(players, header))
        report(step, steps, metrics)

    return checkpoints.read(run.last_checkpoint())


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


@torch.no_grad()
def view(players: Players, latents: Tensor) -> UInt8:
    """What users would see of these latents (N, D): uint8 (N, 28, 28), from running statistics, in float32."""
    generator = players.generator.eval()
    images = generator(latents)
    players.generator.train()
    low, high = generator.image_range
    pixels = ((images - low) / (high - low)).squeeze(1)  # (N, 1, 28, 28) -> (N, 28, 28) in [0, 1]
    return to_uint8(pixels.cpu().contiguous().numpy())
