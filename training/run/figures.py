"""Figures of a finished run, from its metrics and samples."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mnistgen._files import whole_file
from mnistgen._pictures import CELL, save
from training.errors import TrainingError
from training.evaluation.charts import training_curves
from training.files import read_file
from training.run.directory import LIMIT, RunDirectory

GIF_FRAMES = 60  # at most
GIF_FRAME_MS = 120


def draw_losses(run: RunDirectory) -> None:
    """Draw losses.png: losses, scores and the held-out ratio over time."""
    with whole_file(run.path / "losses.png") as file:
        training_curves(run.read_metrics()).savefig(file, format="png")


def draw_progress(run: RunDirectory) -> None:
    """Draw progress.gif from at most GIF_FRAMES sample grids, evenly spaced. The last frame is shown for two seconds.

    Writes nothing if there are no samples. Raises TrainingError for damaged ones.
    """
    paths = run.sample_paths()
    if not paths:
        return
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(GIF_FRAMES, len(paths))).astype(int))
    frames = _read([paths[index] for index in chosen])
    durations = [GIF_FRAME_MS] * (len(frames) - 1) + [2000]
    with whole_file(run.path / "progress.gif") as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def draw_strip(run: RunDirectory) -> None:
    """Draw strip.png: the first row of the first, fifth, tenth, ... and last sample grid, from top to bottom.

    Writes nothing if there are no samples. Raises TrainingError for damaged ones.
    """
    paths = run.sample_paths()
    if not paths:
        return
    frames = _read([paths[index] for index in sorted({0, *range(4, len(paths), 5), len(paths) - 1})])
    save(run.path / "strip.png", np.concatenate([np.asarray(frame)[:CELL] for frame in frames]))


def _read(paths: Sequence[Path]) -> list[Image.Image]:
    """Read sample grids of the same size. Raises TrainingError for the first file that is not one."""
    grids: list[Image.Image] = []
    for path in paths:
        try:
            with Image.open(io.BytesIO(read_file(path, LIMIT)), formats=["PNG"]) as picture:
                grids.append(picture.convert("L"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            raise TrainingError(f"{path}: not a grid of samples; remove it, and resume with --resume") from None
        if grids[-1].size != grids[0].size:
            raise TrainingError(f"{path}: expected the size of the first grid; remove it, and resume with --resume")
    return grids
