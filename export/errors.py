"""What can go wrong in an export."""


class ExportError(Exception):
    """The export was refused or failed its checks; nothing was written."""
