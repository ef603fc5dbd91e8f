"""A run's metrics for TensorBoard, in RUN/tensorboard."""

from types import TracebackType
from typing import Any

from training.errors import TrainingError
from training.run.directory import RunDirectory


class TensorBoard:
    """Writes every line of metrics as scalars; to be used as a context.

    Raises TrainingError where the package is not installed.
    """

    def __init__(self, run: RunDirectory, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise TrainingError("--tensorboard: the package is missing; pip install tensorboard") from None
        # What a killed run wrote after the checkpoint that this one goes on from is to be written again.
        self._writer: Any = SummaryWriter(str(run.path / "tensorboard"), purge_step=step or None)

    def __call__(self, step: int, steps: int, metrics: dict[str, float] | None) -> None:
        """What the training loop reports to."""
        for name, value in (metrics or {}).items():
            if name != "step":
                self._writer.add_scalar(name, value, step)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
