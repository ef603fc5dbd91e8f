"""Train a model, export and evaluate it: python training/train.py --preset dcgan --data fashion-mnist.

The whole chain, from the top: options, data, the adversarial loop, the loops that follow it (distillation, fine-tuning
by moment matching, the encoder; each in a file of its own, with the same phases), export, evaluation.
"""

if __name__ == "__main__":  # before the slow imports, so that Ctrl-C during them is also reported in one line
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])  # the repository root, to run from any directory
    from training.errors import run_script

    run_script("training.train")

import json
import shlex
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch.optim import Adam

import mnistgen
from export.build import build, in_float32
from mnistgen._model import find
from mnistgen._runtime import usable_cpus
from training.config import Preset, change, from_json, to_json, value_at
from training.data import DataSet, load_data, pass_order
from training.device import Compute, choose, make_deterministic
from training.distill import distill
from training.encoder import train_encoder
from training.errors import TrainingError
from training.evaluate import assess
from training.evaluation.baseline import Baseline, baseline
from training.figures import draw_figures
from training.losses import LOSSES, PENALTIES
from training.model import GRID_SIZE, Model, load_model
from training.moments import match_moments
from training.networks import build_discriminator, build_generator
from training.networks.generator import as_saved, classes_of, cyclic_labels, frozen_copy, update_ema
from training.presets import DEFAULT, PRESETS, resolve
from training.run import Run
from training.sources import NAMED, Ink

ADVERSARIAL = "1-adversarial"
EPOCH = 54_000  # images, as in MNIST's training split; the same for all data, so that training takes equally long


def main(
    preset: Annotated[str | None, typer.Option(help=f"One of: {', '.join(PRESETS)}.", show_default=DEFAULT)] = None,
    data: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(NAMED)}; a folder of pictures or IDX files; .npz.", show_default="mnist"),
    ] = None,
    ink: Annotated[Ink, typer.Option(help="Whether the ink in the images is light or dark.")] = "auto",
    epochs: Annotated[
        int | None,
        typer.Option(help=f"Epochs of adversarial training, {EPOCH:,} images each.", show_default="the preset's"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed.", show_default="the preset's")] = None,
    quick: Annotated[bool, typer.Option("--quick", help=f"Train a short form of {DEFAULT}, which is worse.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="Run directory.", show_default="runs/PRESET-DATA-seedSEED")] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the run in this directory.")] = None,
    evaluate: Annotated[
        bool | None, typer.Option(help="Evaluate the exported model.", show_default=f"for {DEFAULT} only")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log to RUN/tensorboard.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved preset and exit.")] = False,
) -> None:
    """Train a model on MNIST or on other images, export the generator and, for the default model, evaluate it.

    Example: python training/train.py --preset mlp --epochs 5
    """
    # --- options: a new run, or one to resume
    if resume is None:
        chosen = resolve(preset or DEFAULT, quick=quick, epochs=epochs, seed=seed)
        data = data or "mnist"
        parts = [chosen.name, Path(data).stem * (data != "mnist"), f"seed{chosen.seed}"]
        run = Run(out or Path("runs") / "-".join(filter(None, parts)), tensorboard=tensorboard)
    else:
        if preset or data or quick or out or seed is not None or ink != "auto":
            raise TrainingError(
                f"--resume {resume} takes only --epochs, --device, --evaluate and --tensorboard beside it"
            )
        run = Run(resume, tensorboard=tensorboard)
        settings = run.read_settings()
        chosen = change(from_json(json.dumps(settings["preset"])), epochs=epochs)
        data, ink = settings["data"], settings["ink"]
    settings = {"preset": to_json(chosen), "data": data, "ink": ink}
    if dry_run:
        print(json.dumps(settings["preset"], indent=2))
        return

    # --- device and data
    compute = choose(device)
    images = load_data(data, compute.device, ink)
    if chosen.is_conditional and not images.classes:
        raise TrainingError(f"preset {chosen.name}: expected labelled images; use --preset mlp or dcgan, or label them")
    if resume is None:
        run.create(settings)
    else:
        compute = replace(compute, **run.resume(settings, images.sha256, compute.device.type))
        if epochs is not None and run.is_past(ADVERSARIAL):
            raise TrainingError(f"--epochs: the adversarial training of {resume} is complete; omit it")
    make_deterministic(compute)
    real = baseline(images, "quick")  # held-out images, to compare generated ones with
    run.how = {"data": images.sha256, "device": compute.device.type} | compute.arithmetic()

    # --- training: one loop after another
    run.say(
        f"{chosen.name}, seed {chosen.seed}, on {len(images.train):,} images of {images.name}, {compute}; {run.path}"
    )
    try:
        teacher = model = train_adversarial(chosen.teacher, images, real, run, compute)
        if chosen.distillation:
            model = distill(chosen.distillation, chosen, teacher, real, run, compute)
        if chosen.moments:
            model = match_moments(chosen.moments, model, teacher, images, real, run, compute)
        if chosen.encoder:
            model = train_encoder(chosen.encoder, model, images, real, run, compute)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"resume with --resume {shlex.quote(str(run.path))}") from None
    finally:
        run.close()

    # --- figures, export, evaluation
    draw_figures(run)
    export = run.path / "export"
    build(model, export)
    labels = cyclic_labels(GRID_SIZE, len(images.classes)).numpy() if chosen.is_conditional else None
    final = mnistgen.Generator(export, device="cpu").sample(GRID_SIZE, labels=labels, seed=chosen.seed)
    mnistgen.save(run.path / "final.png", final)
    print(f"Exported after {model.steps:,} steps and {model.seconds / 60:.0f} minutes of training.")
    print(f"Sample from it: mnistgen sample --model {export} --out grid.png")
    if evaluate or (evaluate is None and chosen.name == DEFAULT):
        exports = [export]
        if chosen.quantization:  # also in float32, so that the card shows the loss from quantization
            exports.append(run.path / "export-float32")
            build(in_float32(model), exports[1])
        models, workers = [find(path) for path in exports], usable_cpus()
        assess(models, run.path / "report", write_card=True, data=data, ink=ink, workers=workers)


def train_adversarial(preset: Preset, data: DataSet, real: Baseline, run: Run, compute: Compute) -> Model:
    """Train a generator against a discriminator; returns the one with the best held-out ratio.

    Seeds torch's global random state and draws from it. Raises DivergedError for a non-finite loss, and CheckpointError
    for a checkpoint that does not fit.
    """
    file = run.path / f"{ADVERSARIAL}.safetensors"
    if run.is_past(ADVERSARIAL):
        return load_model(file)

    # --- networks, optimisers, loss
    config, digits = preset.adversarial, data.training_split
    batches = len(digits) // config.batch_size  # of the data, in each pass; drops the last, incomplete batch
    epoch = EPOCH // config.batch_size  # steps
    steps = config.epochs * epoch
    torch.manual_seed(preset.loop_seed(0))
    generator = compute.place(build_generator(preset.network, preset.latent_dim, len(data.classes)))
    discriminator = compute.place(build_discriminator(config.discriminator, len(data.classes)))
    ema = frozen_copy(generator) if config.ema else generator
    generator_optimizer = Adam(generator.parameters(), fused=True)
    discriminator_optimizer = Adam(discriminator.parameters(), fused=True)
    loss = LOSSES[config.loss]

    state = {
        "generator": generator,
        "discriminator": discriminator,
        "ema": ema,
        "generator_optimizer": generator_optimizer,
        "discriminator_optimizer": discriminator_optimizer,
    }
    start = run.begin(ADVERSARIAL, steps, config.log_every, config.batch_size, state)
    sample_every = config.sample_every * (epoch if config.sample_unit == "epoch" else 1)
    for step in range(start, steps):
        if is_stale(run.ratios, config.patience):
            break
        progress = step / steps

        # --- learning rate
        for group in (*generator_optimizer.param_groups, *discriminator_optimizer.param_groups):
            group["lr"] = value_at(config.learning_rate, progress)
            group["betas"] = (config.betas[0], value_at(config.betas[1], progress))

        # --- data: shuffled in every pass; the order depends only on the seed and the number of the pass
        data_pass, batch = divmod(step, batches)
        if batch == 0 or step == start:
            order = pass_order(len(digits), preset.seed, data_pass).to(compute.device)
        indices = order[batch * config.batch_size : (batch + 1) * config.batch_size]
        images = digits.batch(indices, generator.image_range)  # (N, 1, 28, 28)
        classes = classes_of(generator, digits.labels[indices])  # for both real and generated images
        latents = torch.randn(config.batch_size, generator.latent_dim, device=compute.device)

        # --- discriminator step: tell real from generated
        with compute.autocast():
            fake = generator(latents, *classes)  # (N, D) -> (N, 1, 28, 28)
            real_scores = discriminator(images, *classes)  # -> (N,)
            fake_scores = discriminator(fake.detach(), *classes)
        discriminator_loss = loss.discriminator(real_scores, fake_scores)
        discriminator_optimizer.zero_grad()
        discriminator_loss.backward()
        if (penalties := config.penalties) and step % penalties.every == 0:
            mix = torch.rand(len(images), 1, 1, 1, device=compute.device)
            points = images, fake.detach(), mix
            with compute.autocast() if penalties.mixed_precision else nullcontext():
                values = [PENALTIES[kind](discriminator, classes, *points) for kind in penalties.kinds]
                penalty = torch.stack(values).sum() * value_at(penalties.weight, progress) * penalties.every
            penalty.backward()
        discriminator_optimizer.step()

        # --- generator step: be scored as real; the discriminator's parameters need no gradients
        discriminator.requires_grad_(False)
        with compute.autocast():
            generator_scores = discriminator(fake, *classes)
            paired_scores = discriminator(images, *classes) if loss.paired else None
        generator_loss = loss.generator(generator_scores, paired_scores)
        generator_optimizer.zero_grad()
        generator_loss.backward()
        generator_optimizer.step()
        discriminator.requires_grad_(True)

        # --- EMA
        if config.ema:
            update_ema(ema, generator, config.ema, step * config.batch_size, config.batch_size)

        # --- log, samples, evaluation, checkpoint
        done = step + 1
        run.log(
            done,
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_score=loss.probability(real_scores.detach()),
            fake_score=loss.probability(fake_scores.detach()),
        )
        sample, evaluate = run.is_due(done, sample_every), run.is_due(done, config.evaluate_every * epoch)
        if sample or evaluate:
            run.flush(done)
            candidate = as_saved(ema, config.batch_norm_samples, preset.seed)
            model = Model(preset, candidate, None, data.card_entry(), done, run.seconds)
        if sample:
            run.samples(done, model.draw())
        if evaluate and run.evaluation(done, real.ratio(model.draw(real.target.labels))):
            model.save(file)
        if evaluate or run.is_due(done, config.checkpoint_every):
            run.save(done)
    return load_model(file)


def is_stale(ratios: list[float], patience: int) -> bool:
    """Whether none of the last `patience` evaluations improved on those before; always False for 0."""
    recent, before = ratios[-patience:], ratios[:-patience]
    return patience > 0 and bool(before) and min(recent) >= min(before)
