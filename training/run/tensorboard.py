"""Writes the metrics of a run for TensorBoard, to RUN/tensorboard."""

from types import TracebackType
from typing import Any

from training.config import Preset
from training.errors import TrainingError
from training.run.directory import RunDirectory


class TensorBoard:
    """A context manager and progress callback that writes metrics as scalars named `STAGE/METRIC`.

    Raises TrainingError if the package is not installed.
    """

    def __init__(self, run: RunDirectory, preset: Preset) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise TrainingError("--tensorboard: the package is not installed; pip install tensorboard") from None
        self._kinds = [stage.kind for stage in preset.stages]
        self._writer: Any = SummaryWriter(str(run.path / "tensorboard"))

    def __call__(self, stage: int, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        """The progress callback."""
        for name, value in (metrics or {}).items():
            if name not in ("stage", "step"):
                self._writer.add_scalar(f"{self._kinds[stage]}/{name}", value, step)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
