"""What can go wrong in training, as one small tree; a child of mnistgen's, whose messages are one line.

TrainingError
├── DataError        the MNIST files are missing, damaged or not MNIST
├── PresetError      no such preset, or a value that it cannot take
├── CheckpointError  a checkpoint is damaged, or belongs to another preset
├── DivergedError    a loss became NaN or infinite
└── EvaluationError  a model cannot be measured: it fails, or there is too little of something
"""

from mnistgen._errors import MnistgenError


class TrainingError(MnistgenError):
    """Base of all errors that training raises on purpose."""


class DataError(TrainingError):
    """The MNIST files are missing, damaged or not MNIST."""


class PresetError(TrainingError):
    """No such preset, or a value that it cannot take."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, or belongs to another preset."""


class DivergedError(TrainingError):
    """A loss became NaN or infinite."""


class EvaluationError(TrainingError):
    """A model cannot be measured: it fails, or there is too little of something."""
