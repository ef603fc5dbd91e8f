"""HARNESSES: the fault-injection harnesses. To add one, add a module with a function `trial` and a row here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Harness:
    """The trials of a module."""

    what: str  # description of the trials
    in_suite: int  # number of trials in the test suite
    after_death: str = ""  # the trial to run instead if this one kills or hangs its process


HARNESSES: Mapping[str, Harness] = {
    "graphs": Harness("`model.onnx`: changed bytes, crafted graphs", 150, after_death="graphs:by_doctor"),
    "cards": Harness("`card.json`: changed values, types, names and bytes", 150),
    "pictures": Harness("`mnistgen reproduce` of changed PNG, APNG, GIF and WebP files", 250),
    "manifests": Harness(
        "data sets with changed files, then `reproduce`, `--resume`, `--force`; files of the user's among them", 80
    ),
    "checkpoints": Harness("training checkpoints with changed bytes and headers", 100),
    "calls": Harness("public functions with arguments of any type and value", 400),
    "options": Harness("commands with options of any value", 150),
    "kills": Harness("`dataset` ended by a signal at any file operation or call, perhaps damaged, then resumed", 24),
    "orphans": Harness("`dataset` with several workers, one process of them ended, then run again at once", 3),
    "rivals": Harness("two `dataset` runs in one folder, one stopped at any file operation", 20),
    "disks": Harness("full disks, few open files: `dataset`, pictures and arrays", 20),
}
