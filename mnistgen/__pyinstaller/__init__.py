"""PyInstaller finds the hooks in this folder through the entry point `pyinstaller40`."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """The folder of the hooks."""
    return [str(Path(__file__).parent)]
