"""What can go wrong in an export."""

from mnistgen._errors import MnistgenError


class ExportError(MnistgenError):
    """The export was refused or failed its checks; nothing was written."""
