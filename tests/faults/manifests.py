"""Data sets with a mutated dataset.json: reproduced, resumed and replaced. Other files must be kept."""

import functools
import json
import random
import shutil
import tempfile
from pathlib import Path

from tests.conftest import write_model
from tests.faults.mutations import changed_json, damage
from tests.faults.trials import Outcome, command, command_problem, contents

FORMATS = {
    "idx": (20, 10),
    "npz": (10, 0),
    "png": (6, 2),
    "webdataset": (10, 10),
    "hf": (12, 0),
}  # digits of each split
MANIFEST = "dataset.json"
OWN = b"precious"
PLACES = (  # possible locations of a user's file
    *("data/thesis.txt", "data/train/thesis.txt", "data/MNIST/raw/.thesis", "data/.progress/thesis.txt"),
    *(".data.partial/thesis.txt", ".data.mnistgen/thesis.txt", ".data.mnistgen/data-0/thesis.txt"),
)
WAYS = ("reproduce", "--resume", "--force", "")


@functools.cache
def originals() -> Path:
    """A folder with a model and a data set in each format."""
    folder = Path(tempfile.mkdtemp())
    write_model(folder / "model")
    for name in FORMATS:
        expected = command(*arguments(folder, name), "--out", folder / name)
        assert expected.code == 0, expected
    return folder


def arguments(folder: Path, name: str) -> tuple[object, ...]:
    """The arguments that create a data set."""
    n, test = FORMATS[name]
    sizes = ("--n", n, "--test", test, "--seed", 1, "--workers", 1, "--quiet")
    return ("dataset", "--model", folder / "model", "--format", name, *sizes)


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Mutate dataset.json or a data file, optionally add a user's file, and run one of four commands."""
    name = source.choice(list(FORMATS))
    out = workdir / "sets" / "data"
    shutil.copytree(originals() / name, out)
    if source.random() < 0.8:
        (out / MANIFEST).write_bytes(changed_json(source, json.loads((out / MANIFEST).read_bytes())))
        changed = f"dataset.json {(out / MANIFEST).read_bytes()[:2000]!r}"
    else:
        changed = damage(source, source.choice([out / file for file in sorted(contents(out)) if file != MANIFEST]))
    own = [workdir / "precious.txt", workdir / "sets" / "precious.txt"]
    if source.random() < 0.5:
        own.append(workdir / "sets" / source.choice(PLACES))
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OWN)
    before = contents(workdir)
    way = source.choice(WAYS)
    tried = f"{way} after {own[-1].relative_to(workdir)}, {name}, {changed}"
    how: tuple[object, ...] = ("reproduce", out / MANIFEST, "--model", originals() / "model", "--threads", 1)
    if way != "reproduce":
        how = (*arguments(originals(), name), "--out", out, *filter(None, (way,)))
    ended = command(*how)
    after = contents(workdir)
    problem = command_problem(ended) or _lost(before, after, all_of_it=way == "reproduce" or ended.code > 0)
    if not problem and not ended.code:
        expected = contents(originals() / name)
        kept = {MANIFEST} if way in ("reproduce", "--resume") else set()
        wrong = [file for file in sorted(expected.keys() - kept) if after.get(f"sets/data/{file}") != expected[file]]
        problem = f"exit code 0, but {wrong} differ" if wrong else ""
    return Outcome(tried, problem)


def _lost(before: dict[str, bytes], after: dict[str, bytes], all_of_it: bool) -> str:
    """Describe forbidden changes: of the user's files and, if the command failed, of any file."""
    changed = [name for name in {*before, *after} if before.get(name) != after.get(name)]
    wrong = [name for name in changed if all_of_it or before.get(name) == OWN or not name.startswith("sets/data/")]
    return f"changes {sorted(wrong)[:5]}" if wrong else ""
