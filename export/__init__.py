"""Export a trained generator as a model directory: ONNX, TorchScript and a card, verified against PyTorch."""

from mnistgen._errors import MnistgenError

OPSET, IR_VERSION = 18, 8  # of all graphs; the lowest IR version that the opset allows, for old runtimes


class ExportError(MnistgenError):
    """The export is not possible or failed verification. Nothing was written."""
