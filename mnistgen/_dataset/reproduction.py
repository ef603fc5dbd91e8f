"""Regenerate a data set from its dataset.json and compare it file by file."""

from collections.abc import Callable
from pathlib import Path

from mnistgen._dataset.build import MIN_BYTES, write_dataset
from mnistgen._dataset.local import LocalStore
from mnistgen._dataset.manifest import LARGEST, Manifest, read_manifest
from mnistgen._dataset.store import MANIFEST
from mnistgen._errors import InputError, plain
from mnistgen._files import read_file, sha256_of
from mnistgen._generator import Generator

NAMED = 3  # differing files that a message names


def regenerate(path: Path, out: Path | None, open_model: Callable[[str, str, str], Generator]) -> tuple[bool, str]:
    """Whether a data set, and its dataset.json, are exactly what the recorded arguments give; and a line that says so.

    The new data set is written to `out`, or to a temporary folder beside the old one. Raises InputError for an invalid
    dataset.json, and as `write_dataset` does.
    """
    manifest = _read(path)
    plan = manifest.plan
    size = sum(file.stat().st_size for name in manifest.files if (file := path.parent / name).is_file())
    images = plan.n + plan.test
    if size < MIN_BYTES * images:
        return False, f"{path}: describes {images:,} digits, but its files have only {size:,} bytes in total"
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
            style=plan.style,
            spread=plan.spread,
            **plan.attributes,  # type: ignore[arg-type]  # the names of attributes
            force=out is None,
        )
        made = _read(target / MANIFEST)
    finally:
        if out is None:
            LocalStore(target).clear()
    other = [name for name, sha256 in made.files.items() if manifest.files.get(name) != sha256]
    other += [name for name, sha256 in made.files.items() if name not in other and _sha256(folder / name) != sha256]
    other += [name for name in manifest.files if name not in made.files]
    written = "" if out is None else f"; written to {out}"
    origin = f"{path}: reproduced from {plain(plan.model)}, seed {plan.seed}"
    if not other and made.counts == manifest.counts:
        return True, f"{origin}: every byte of {len(made.files):,} file{'s' * (len(made.files) > 1)} is equal{written}"
    names = ", ".join(other[:NAMED]) + ", ..." * (len(other) > NAMED) or f"the counts of {MANIFEST}"
    return False, f"{origin}: {len(other):,} of {len(made.files):,} files differ or are missing: {names}{written}"


def _read(path: Path) -> Manifest:
    try:
        return read_manifest(read_file(path, LARGEST))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _sha256(path: Path) -> str | None:
    """The SHA-256 of a file, or None if it cannot be read."""
    try:
        return sha256_of(path) if path.is_file() else None
    except OSError:
        return None
