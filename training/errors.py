"""The exceptions of training. Their messages are one line, as for all subclasses of MnistgenError.

TrainingError
├── DataError        the MNIST files are missing, damaged or not MNIST
├── PresetError      an unknown preset, or an invalid value in one
├── CheckpointError  a checkpoint is damaged, or belongs to another preset
├── DivergedError    a loss became NaN or infinite
└── EvaluationError  a model cannot be evaluated: it fails, or there are too few samples
"""

from mnistgen._errors import MnistgenError


class TrainingError(MnistgenError):
    """Base class of all training errors."""


class DataError(TrainingError):
    """The MNIST files are missing, damaged or not MNIST."""


class PresetError(TrainingError):
    """An unknown preset, or an invalid value in one."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, or belongs to another preset."""


class DivergedError(TrainingError):
    """A loss became NaN or infinite."""


class EvaluationError(TrainingError):
    """A model cannot be evaluated: it fails, or there are too few samples."""
