"""Distillation: a small generator, the student, learns to reproduce the images of a larger one, its teacher.

A generator this small cannot keep up with a discriminator; the teacher provides a target image for every latent. The
teacher's images are generated once and used for many epochs, so that training runs only the student.

Sources: G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531);
A. Aguinaldo et al., "Compressing GANs using Knowledge Distillation", 2019 (arXiv:1902.00159), section 3.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.optim import Adam

from training.config import Distillation, Preset, value_at
from training.device import Compute
from training.evaluation.baseline import Baseline
from training.model import Model, load_model
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork, as_saved, classes_of
from training.run import Run

NAME, INDEX = "2-distillation", 1
CHUNK = 500  # teacher images per forward pass


def distill(config: Distillation, preset: Preset, teacher: Model, real: Baseline, run: Run, compute: Compute) -> Model:
    """Distil a teacher into a new generator of the preset, for as many classes. Draws from torch's global random state.

    Raises DivergedError for a non-finite loss, and CheckpointError for a checkpoint that does not fit.
    """
    file = run.path / f"{NAME}.safetensors"
    if run.is_past(NAME):
        return load_model(file)

    # --- the student, and its teacher's images
    torch.manual_seed(preset.loop_seed(INDEX))
    classes = len(teacher.data["classes"])
    generator = compute.place(build_generator(preset.network, preset.latent_dim, classes)).train()
    run.say(f"generating {config.bank:,} teacher images")
    latents, labels, images = draw_bank(compute.place(teacher.generator), config.bank, compute)
    low, high = generator.image_range
    optimizer = Adam(generator.parameters(), betas=config.betas, fused=True)
    start = run.begin(
        NAME, config.steps, config.log_every, config.batch_size, {"generator": generator, "optimizer": optimizer}
    )
    for step in range(start, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = value_at(config.learning_rate, step / config.steps)

        # --- data: random rows of the teacher's images
        rows = torch.randint(config.bank, (config.batch_size,), device=compute.device)
        target = images[rows].float() / 255 * (high - low) + low  # (N, 1, 28, 28)

        # --- generator step
        with compute.autocast():
            output = generator(latents[rows], *classes_of(generator, labels[rows]))
        loss = (output - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        # --- log, samples, evaluation, checkpoint
        run.log(step + 1, distillation_loss=loss)
        if run.is_due(step + 1, config.evaluate_every):
            run.flush(step + 1)
            student = replace(
                teacher,
                preset=preset,
                generator=as_saved(generator),
                steps=teacher.steps + step + 1,
                seconds=run.seconds,
            )
            run.samples(step + 1, student.draw())
            run.evaluation(step + 1, real.ratio(student.draw(real.target.labels)))
            student.save(file)
            run.save(step + 1)
    return load_model(file)


@torch.no_grad()
def draw_bank(teacher: GeneratorNetwork, size: int, compute: Compute) -> tuple[Tensor, Tensor, Tensor]:
    """Generate latents float32 (N, D), cyclic labels int64 (N,) and teacher images uint8 (N, 1, 28, 28), N = size."""
    latents = torch.randn(size, teacher.latent_dim, device=compute.device)
    labels = torch.arange(size, device=compute.device) % teacher.classes
    low, high = teacher.image_range
    images = []
    for rows in torch.arange(size, device=compute.device).split(CHUNK):
        with compute.autocast():
            drawn = teacher(latents[rows], *classes_of(teacher, labels[rows]))
        images.append(((drawn - low) / (high - low) * 255).round().to(torch.uint8))
    return latents, labels, torch.cat(images)
