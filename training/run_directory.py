"""A run directory: everything that a run leaves behind, laid out to be read.

RUN/
├── preset.json      every hyperparameter
├── metrics.jsonl    one line every few steps: losses, scores, images a second
├── samples/         STEP.png, the same latents each time
├── losses.png       losses, scores and the held-out ratio over the steps
├── progress.gif     the samples, one after the other
├── strip.png        ten of their digits after 1, 5, 10, 15, … grids, and at last
├── final.png        digits of the exported model, drawn by the runtime
├── checkpoints/     STEP.safetensors, the last two
├── best.safetensors the best generator so far, by the held-out digits
├── export/          model.onnx, model.torchscript.pt, card.json
├── teachers/        NAME.safetensors, what a preset learned from, and NAME/, the runs that trained it, where they were
├── export-float32/  the same without quantisation, where both are measured
└── report/          the evaluation of the export, where it was asked for
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mnistgen.files import whole_file
from mnistgen.images import CELL, UInt8, grid, write_png
from training.checkpoint import Checkpoint, write
from training.errors import CheckpointError, TrainingError
from training.evaluation.charts import training_curves
from training.preset import Preset, from_json, to_json

KEPT_CHECKPOINTS = 2
GIF_FRAMES = 60  # at most
GIF_FRAME_MS = 120


class RunDirectory:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.metrics = path / "metrics.jsonl"
        self.best = path / "best.safetensors"
        self.export = path / "export"
        self.export_float32 = path / "export-float32"
        self.report = path / "report"
        self.teachers = path / "teachers"

    def create(self, preset: Preset) -> None:
        """Start a new run. Raises TrainingError where the folder already holds something."""
        if self.path.exists() and any(self.path.iterdir()):
            raise TrainingError(f"{self.path} is not empty; go on with --resume {self.path}, or choose another --out")
        self.samples.mkdir(parents=True)
        self.save_preset(preset)

    def save_preset(self, preset: Preset) -> None:
        """Write preset.json."""
        with whole_file(self.path / "preset.json") as file:
            file.write(json.dumps(to_json(preset), indent=2).encode() + b"\n")

    def read_preset(self) -> Preset:
        """The preset of the run. Raises TrainingError where this is not a run directory."""
        path = self.path / "preset.json"
        try:
            return from_json(json.loads(path.read_text()))
        except FileNotFoundError:
            raise TrainingError(f"{self.path} is not a run directory: it has no preset.json") from None
        except (ValueError, AttributeError) as error:
            raise TrainingError(f"{path}: not a preset ({error})") from None

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "preset.json").exists()

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint of a step is."""
        return self.checkpoints / f"{step:07d}.safetensors"

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and let go of all but the last few."""
        write(self.checkpoint_path(checkpoint.header.step), checkpoint)
        for old in self._checkpoint_paths()[:-KEPT_CHECKPOINTS]:
            old.unlink()

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write best.safetensors, in place of the one before."""
        write(self.best, checkpoint)

    def has_checkpoint(self) -> bool:
        """Whether there is something to go on from."""
        return bool(self._checkpoint_paths())

    def last_checkpoint(self) -> Path:
        """The newest checkpoint. Raises CheckpointError where there is none."""
        paths = self._checkpoint_paths()
        if not paths:
            raise CheckpointError(f"{self.checkpoints} holds no checkpoint; start the run again without --resume")
        return paths[-1]

    def _checkpoint_paths(self) -> list[Path]:
        return sorted(self.checkpoints.glob("*.safetensors"))

    # --- metrics and pictures ----------------------------------------------------------------------------------------

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        with self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines so far; the last may be cut off by a kill, and is then left out."""
        lines = self.metrics.read_text().splitlines(keepends=True) if self.metrics.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def rewind(self, step: int) -> None:
        """Forget metrics and samples after this step, so that a resumed run writes them once."""
        kept = [line for line in self.read_metrics() if line["step"] <= step]
        with whole_file(self.metrics) as file:
            file.writelines(json.dumps(line).encode() + b"\n" for line in kept)
        for path in self._sample_paths():
            if int(path.stem) > step:
                path.unlink()

    def save_samples(self, step: int, images: UInt8) -> None:
        """A grid of images (N, 28, 28)."""
        with whole_file(self.samples / f"{step:07d}.png") as file:
            write_png(file, grid(images))

    def draw_progress(self) -> None:
        """progress.gif from the samples, evenly thinned to GIF_FRAMES; the last frame stays for two seconds."""
        paths = self._sample_paths()
        chosen = np.unique(np.linspace(0, len(paths) - 1, min(GIF_FRAMES, len(paths))).astype(int))
        frames = []
        for index in chosen:
            with Image.open(paths[index]) as picture:
                frames.append(picture.copy())
        durations = [GIF_FRAME_MS] * (len(frames) - 1) + [2000]
        with whole_file(self.path / "progress.gif") as file:
            frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)

    def draw_strip(self) -> None:
        """strip.png: the first row of the first, fifth, tenth, ... and last grid, from top to bottom."""
        paths = self._sample_paths()
        rows = []
        for index in sorted({0, *range(4, len(paths), 5), len(paths) - 1}):
            with Image.open(paths[index]) as picture:
                rows.append(np.asarray(picture)[:CELL])
        with whole_file(self.path / "strip.png") as file:
            write_png(file, np.concatenate(rows))

    def save_final(self, images: UInt8) -> None:
        """final.png, a grid of images (N, 28, 28)."""
        with whole_file(self.path / "final.png") as file:
            write_png(file, grid(images))

    def draw_losses(self) -> None:
        """losses.png: losses, scores and the held-out ratio over the steps."""
        with whole_file(self.path / "losses.png") as file:
            training_curves(self.read_metrics()).savefig(file, format="png")

    def _sample_paths(self) -> list[Path]:
        return sorted(self.samples.glob("*.png"))
