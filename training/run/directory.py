"""A run directory: everything that a run writes, laid out to be read.

RUN/
├── preset.json      every hyperparameter
├── metrics.jsonl    one line every few steps: stage, step, minutes, losses, ratio, images a second
├── losses.png       metrics.jsonl, drawn
├── samples/         STAGE-STEP.png, the same latents each time
├── progress.gif     the samples, one after the other
├── strip.png        ten digits of the first, fifth, tenth, ... and last of them
├── final.png        digits of the exported model, drawn by the runtime
├── checkpoints/     STAGE-STEP.safetensors, everything to resume from; the last two
├── generators/      STAGE-KIND-best.safetensors or -last.safetensors, the generator that each stage handed on
├── export/          model.onnx, model.torchscript.pt, card.json: of the last stage's generator
├── export-float32/  the same without quantization, where both are measured
└── report/          the evaluation of the export, where it was asked for
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnistgen._arrays import UInt8
from mnistgen._errors import plain
from mnistgen._files import WINDOWS, open_owned, read_file, remove_leftovers, whole_file
from mnistgen._images import grid
from mnistgen._picture_files import write_png
from training.config import Preset, from_json, to_json
from training.errors import CheckpointError, PresetError, TrainingError
from training.networks.generator import GeneratorNetwork
from training.run.checkpoint import Checkpoint, Header, generator_of, of_generator, read, write
from training.run.outline import check_preset

LIMIT = 2**30  # bytes of a text file that is read
KEPT_CHECKPOINTS = 2


class RunDirectory:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.metrics = path / "metrics.jsonl"
        self.generators = path / "generators"
        self.export = path / "export"
        self.export_float32 = path / "export-float32"
        self.report = path / "report"

    def check_new(self) -> None:
        """Raises TrainingError where the folder holds something already; hidden files do not count."""
        if self.exists():
            raise TrainingError(f"{self.path} is not empty; --resume {self.path} resumes it, or choose another --out")
        if self.path.exists() and any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise TrainingError(f"{self.path} is not empty and holds no run; choose another --out")

    def create(self, preset: Preset) -> None:
        """Start a new run. Raises TrainingError where the folder already holds something."""
        self.check_new()
        self.path.mkdir(parents=True, exist_ok=True)
        self.save_preset(preset)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other processes out, where the file system knows locks, and remove what killed ones left half written.

        Raises TrainingError where another process trains here.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = self.path / ".lock"
        try:
            file = open_owned(lock)
        except BlockingIOError:
            raise TrainingError(f"{self.path} is being trained by another process; wait until it has ended") from None
        with file:
            for folder in (self.path, self.checkpoints, self.samples, self.generators, self.export):
                remove_leftovers(folder, ".mnistgen-*.partial")
            try:
                yield
            finally:
                if WINDOWS:  # which removes no open file
                    file.close()
                lock.unlink(missing_ok=True)

    def save_preset(self, preset: Preset) -> None:
        """Write preset.json."""
        with whole_file(self.path / "preset.json") as file:
            file.write(json.dumps(to_json(preset), indent=2).encode() + b"\n")

    def read_preset(self) -> Preset:
        """The preset of the run. Raises TrainingError where this is not a run directory, or the preset is damaged."""
        path = self.path / "preset.json"
        try:
            preset = from_json(json.loads(read_file(path, LIMIT)))
            check_preset(preset)
        except FileNotFoundError:
            raise TrainingError(f"{self.path} holds no run: it has no preset.json; start one with --out") from None
        except OSError as error:
            raise TrainingError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError, PresetError) as error:
            reason = plain(str(error))
            raise TrainingError(f"{path}: not a preset ({reason}); put it back, or start again with --out") from None
        return preset

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "preset.json").exists()

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove all but the last few."""
        header = checkpoint.header
        write(self.checkpoints / f"{_named(header.stage, header.step)}.safetensors", checkpoint)
        for old in self._checkpoint_paths()[:-KEPT_CHECKPOINTS]:
            old.unlink()

    def last(self) -> Checkpoint | None:
        """The newest checkpoint, None where there is none yet. Raises CheckpointError where it is damaged."""
        earlier = [None, *self._checkpoint_paths()]
        if (newest := earlier.pop()) is None:
            return None
        try:
            return read(newest)
        except CheckpointError as error:
            before = "stage {}, step {}".format(*_number(earlier[-1])) if earlier[-1] else "the beginning"
            raise CheckpointError(f"{error}; remove it to resume from {before}") from None

    def last_good(self) -> str:
        """Where the newest checkpoint is, for an error message."""
        paths = self._checkpoint_paths()
        return f"the last good checkpoint is {paths[-1]}" if paths else "there is no checkpoint before it"

    def save_generator(self, generator: GeneratorNetwork, header: Header) -> None:
        """Write the generator that a stage would hand on now, in place of the one before."""
        write(self.generator_path(header.preset, header.stage), of_generator(generator, header))

    def read_generator(self, preset: Preset, stage: int) -> GeneratorNetwork:
        """The generator that a stage handed on; in evaluation mode, on the CPU. Raises CheckpointError."""
        return generator_of(read(self.generator_path(preset, stage)))

    def generator_path(self, preset: Preset, stage: int) -> Path:
        """Where the generator is that a stage handed on: its best or its last one, as the name says."""
        of = preset.stages[stage]
        return self.generators / f"{stage}-{of.kind}-{of.keeps}.safetensors"

    def _checkpoint_paths(self) -> list[Path]:
        return _numbered(self.checkpoints, ".safetensors")

    # --- metrics and samples -----------------------------------------------------------------------------------------

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        with self.metrics.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines so far, but for the last where a kill cut it off; damaged ones are left out with a warning."""
        if not self.metrics.exists():
            return []
        *lines, _ = read_file(self.metrics, LIMIT).split(b"\n")
        found = {number: _metrics(line) for number, line in enumerate(lines, start=1)}
        if damaged := [number for number, line in found.items() if line is None]:
            warnings.warn(
                f"{self.metrics}: left out {len(damaged)} damaged lines, line {damaged[0]} first", stacklevel=2
            )
        return [line for line in found.values() if line is not None]

    def rewind(self, stage: int, step: int) -> None:
        """Remove metrics and samples after this step of this stage, so that a resumed run writes them once."""
        kept = [line for line in self.read_metrics() if (line["stage"], line["step"]) <= (stage, step)]
        with whole_file(self.metrics) as file:
            file.writelines(json.dumps(line).encode() + b"\n" for line in kept)
        for path in self.sample_paths():
            if _number(path) > (stage, step):
                path.unlink()

    def save_samples(self, stage: int, step: int, images: UInt8) -> None:
        """A grid of images (N, 28, 28)."""
        self.samples.mkdir(exist_ok=True)
        with whole_file(self.samples / f"{_named(stage, step)}.png") as file:
            write_png(file, grid(images))

    def save_final(self, images: UInt8) -> None:
        """final.png, a grid of images (N, 28, 28)."""
        with whole_file(self.path / "final.png") as file:
            write_png(file, grid(images))

    def sample_paths(self) -> list[Path]:
        """All grids, in the order of their steps."""
        return _numbered(self.samples, ".png")


def _named(stage: int, step: int) -> str:
    return f"{stage}-{step:07d}"


def _number(path: Path) -> tuple[int, ...]:
    """Stage and step of a file; nothing for others."""
    parts = path.stem.split("-")
    return tuple(map(int, parts)) if len(parts) == 2 and all(part.isdecimal() for part in parts) else ()


def _numbered(folder: Path, suffix: str) -> list[Path]:
    """The files that are named by their stage and step, in order."""
    return sorted((path for path in folder.glob(f"*{suffix}") if _number(path)), key=_number)


def _metrics(line: bytes) -> dict[str, Any] | None:
    """What a line of metrics holds, None for anything else."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not all(type(value) in (int, float) for value in values.values()):
        return None
    return values if all(type(values.get(name)) is int for name in ("stage", "step")) else None
