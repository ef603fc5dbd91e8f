"""What a preset learns from: its teachers' generators, given or trained before it, and several of them as a mixture."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.config import Preset
from training.errors import CheckpointError
from training.networks import build_generator
from training.networks.generator import GeneratorNetwork
from training.networks.mixture import MixtureGenerator
from training.presets import PRESETS, resolve
from training.run import checkpoint as checkpoints
from training.run.checkpoint import Checkpoint
from training.run.directory import RunDirectory
from training.run.distributed import World

TrainTeacher = Callable[[RunDirectory, Preset], Checkpoint]  # a whole run there, or the rest of it


def given_teachers(preset: Preset, folder: Path | None) -> dict[str, Checkpoint]:
    """Weights of a preset's teachers by name, from FOLDER/NAME.safetensors; none where no folder is given.

    Raises CheckpointError for a preset without teachers, and for weights that are missing or do not fit it.
    """
    if folder is None:
        return {}
    if preset.teacher is None:
        raise CheckpointError(f"preset {preset.name} has no teachers, got {folder}; leave --teachers away")
    given = {name: checkpoints.read(folder / f"{name}.safetensors") for name in preset.teacher}
    teacher_of(preset, list(given.values()))
    return given


def collect(
    preset: Preset, run: RunDirectory, given: Mapping[str, Checkpoint], world: World, train: TrainTeacher
) -> list[Checkpoint]:
    """The weights of a preset's teachers, kept as RUN/teachers/NAME.safetensors, from where a resumed run takes them.

    Those that are not given are trained one after the other in RUN/teachers/NAME, with seeds as far from their presets'
    as this one's.
    """
    further = preset.seed - PRESETS[preset.name].seed
    weights = []
    for name in preset.teacher or ():
        kept = run.teachers / f"{name}.safetensors"
        if not world.tell(kept.exists):
            teacher = given.get(name)
            if teacher is None:
                teacher = train(RunDirectory(run.teachers / name), resolve(name, seed=PRESETS[name].seed + further))
            if world.is_first:
                generator = checkpoints.generator_of(teacher)
                checkpoints.write(kept, checkpoints.capture_generator(generator, teacher.header))
            world.wait()
        weights.append(checkpoints.read(kept))
    return weights


def teacher_of(preset: Preset, weights: Sequence[Checkpoint]) -> GeneratorNetwork:
    """What a preset imitates, made of its teachers' weights: frozen, in evaluation mode, on the CPU.

    Raises CheckpointError where it takes other inputs than the preset's generator, or gives another range of pixels.
    """
    teachers = [checkpoints.generator_of(checkpoint) for checkpoint in weights]
    student = build_generator(preset.architecture, preset.latent_dim, preset.generator)
    try:
        teacher = (MixtureGenerator(teachers) if len(teachers) > 1 else teachers[0]).requires_grad_(False)
        ours, theirs = ((net.latent_dim, net.conditional, net.image_range) for net in (student, teacher))
        if ours != theirs:
            raise ValueError(f"expected latents, classes and pixels as the preset has them, {ours}, got {theirs}")
    except ValueError as error:
        raise CheckpointError(f"teachers of {preset.name}: {error}") from None
    return teacher
