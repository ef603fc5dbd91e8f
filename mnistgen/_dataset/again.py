"""A data set made again from its description, and compared file by file."""

from collections.abc import Callable
from pathlib import Path

from mnistgen._dataset.build import LEAST, write_dataset
from mnistgen._dataset.local import LocalStore
from mnistgen._dataset.manifest import LARGEST, Manifest, read_manifest
from mnistgen._dataset.store import MANIFEST
from mnistgen._errors import InputError, plain
from mnistgen._files import read_file, sha256_of
from mnistgen._generator import Generator

NAMED = 3  # files that differ and are named


def make_again(path: Path, out: Path | None, open_model: Callable[[str, str, str], Generator]) -> tuple[bool, str]:
    """Whether every file beside dataset.json, and all that it says of them, is what its arguments make, in one line.

    What is made again goes to `out`, or into a folder beside the data set that is removed afterwards: there must be
    room for it. Raises InputError for a description that is none, and as `write_dataset` does.
    """
    described = _described(path)
    plan = described.plan
    held = sum(file.stat().st_size for name in described.files if (file := path.parent / name).is_file())
    images = plan.n + plan.test
    if held < LEAST * images:
        return False, f"{path}: speaks of {images:,} digits, but the files that it lists have {held:,} bytes in all"
    generator = open_model(plan.model, plan.model_sha256, plan.version)
    folder = path.absolute().parent
    target = out or folder.with_name(f".{folder.name}.mnistgen-again")
    try:
        write_dataset(
            target,
            n=plan.n,
            test=plan.test,
            start=plan.start,
            digits=plan.digits,
            balance=plan.balance,
            seed=plan.seed,
            format=plan.format,
            model=generator.model,
            shard_size=plan.task_size,
            workers=generator.threads,
            force=out is None,
        )
        made = _described(target / MANIFEST)
    finally:
        if out is None:
            LocalStore(target).clear()
    other = [name for name, sha256 in made.files.items() if described.files.get(name) != sha256]
    other += [name for name, sha256 in made.files.items() if name not in other and _sha256(folder / name) != sha256]
    other += [name for name in described.files if name not in made.files]
    written = "" if out is None else f"; written to {out}"
    origin = f"{path}: made again from {plain(plan.model)}, seed {plan.seed}"
    if not other and made.counts == described.counts:
        return True, f"{origin}: every byte of {len(made.files):,} file{'s' * (len(made.files) > 1)} is equal{written}"
    names = ", ".join(other[:NAMED]) + ", ..." * (len(other) > NAMED) or f"the counts of {MANIFEST}"
    return False, f"{origin}: {len(other):,} of {len(made.files):,} files differ or are missing: {names}{written}"


def _described(path: Path) -> Manifest:
    try:
        return read_manifest(read_file(path, LARGEST))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _sha256(path: Path) -> str | None:
    """Of a file; none where it cannot be read."""
    try:
        return sha256_of(path) if path.is_file() else None
    except OSError:
        return None
