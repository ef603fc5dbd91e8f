"""Data sets whose dataset.json was changed: reproduced, resumed, replaced; what is not theirs must survive."""

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
PLACES = (  # where a file of the user's may be
    *("data/thesis.txt", "data/train/thesis.txt", "data/MNIST/raw/.thesis", "data/.progress/thesis.txt"),
    *(".data.partial/thesis.txt", ".data.mnistgen/thesis.txt", ".data.mnistgen/data-0/thesis.txt"),
)
WAYS = ("reproduce", "--resume", "--force", "")


@functools.cache
def originals() -> Path:
    """A folder with a model and a data set of each format."""
    folder = Path(tempfile.mkdtemp())
    write_model(folder / "model")
    for name in FORMATS:
        made = command(*arguments(folder, name), "--out", folder / name)
        assert made.code == 0, made
    return folder


def arguments(folder: Path, name: str) -> tuple[object, ...]:
    """What makes a data set."""
    n, test = FORMATS[name]
    sizes = ("--n", n, "--test", test, "--seed", 1, "--workers", 1, "--quiet")
    return ("dataset", "--model", folder / "model", "--format", name, *sizes)


def trial(source: random.Random, place: Path) -> Outcome:
    """Change dataset.json, perhaps put a file of the user's beside the data, and go on with it in one of four ways."""
    name = source.choice(list(FORMATS))
    out = place / "sets" / "data"
    shutil.copytree(originals() / name, out)
    if source.random() < 0.8:
        (out / MANIFEST).write_bytes(changed_json(source, json.loads((out / MANIFEST).read_bytes())))
        changed = f"dataset.json {(out / MANIFEST).read_bytes()[:2000]!r}"
    else:
        changed = damage(source, source.choice([out / file for file in sorted(contents(out)) if file != MANIFEST]))
    own = [place / "precious.txt", place / "sets" / "precious.txt"]
    if source.random() < 0.5:
        own.append(place / "sets" / source.choice(PLACES))
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OWN)
    before = contents(place)
    way = source.choice(WAYS)
    tried = f"{way} after {own[-1].relative_to(place)}, {name}, {changed}"
    how: tuple[object, ...] = ("reproduce", out / MANIFEST, "--model", originals() / "model", "--threads", 1)
    if way != "reproduce":
        how = (*arguments(originals(), name), "--out", out, *filter(None, (way,)))
    ended = command(*how)
    after = contents(place)
    problem = command_problem(ended) or _lost(before, after, all_of_it=way == "reproduce" or ended.code > 0)
    if not problem and not ended.code:
        made = contents(originals() / name)
        kept = {MANIFEST} if way in ("reproduce", "--resume") else set()
        wrong = [file for file in sorted(made.keys() - kept) if after.get(f"sets/data/{file}") != made[file]]
        problem = f"exit code 0, but {wrong} differ" if wrong else ""
    return Outcome(tried, problem)


def _lost(before: dict[str, bytes], after: dict[str, bytes], all_of_it: bool) -> str:
    """What a command changed that it must not: the user's own files, and all of it where it fails."""
    changed = [name for name in {*before, *after} if before.get(name) != after.get(name)]
    wrong = [name for name in changed if all_of_it or before.get(name) == OWN or not name.startswith("sets/data/")]
    return f"changes {sorted(wrong)[:5]}" if wrong else ""
