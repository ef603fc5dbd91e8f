"""The exception of the export."""

from mnistgen._errors import MnistgenError


class ExportError(MnistgenError):
    """The export is not possible or failed verification. Nothing was written."""
