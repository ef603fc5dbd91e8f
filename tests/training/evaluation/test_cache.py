"""The cache: recomputed if damaged or from other sources, and optional."""

from pathlib import Path

import numpy as np
import pytest

from training.run import cache
from training.run.cache import Arrays, cached


class Work:
    """A computation that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"squares": np.arange(5.0) ** 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "user_cache_path", lambda *names, **options: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def work() -> Work:
    return Work()


def test_computed_once_per_sources(folder: Path, work: Work) -> None:
    for _ in range(2):
        assert cached("squares", {"data": "abc", "version": 1}, work)["squares"].tolist() == [0, 1, 4, 9, 16]
    assert work.calls == 1
    cached("squares", {"data": "abc", "version": 2}, work)
    cached("squares", {"data": "xyz", "version": 1}, work)
    assert work.calls == 3
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("offset", [3, 60, -1])
def test_damaged_file_is_recomputed(folder: Path, work: Work, offset: int) -> None:
    cached("squares", {"data": "abc"}, work)
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{path}: .*computing it again"):
        assert cached("squares", {"data": "abc"}, work)["squares"].tolist() == [0, 1, 4, 9, 16]
    assert work.calls == 2
    cached("squares", {"data": "abc"}, work)
    assert work.calls == 2


def test_file_of_other_sources_is_recomputed(folder: Path, work: Work) -> None:
    cached("squares", {"data": "abc"}, work)
    (path,) = folder.iterdir()
    content = path.read_bytes()
    cached("squares", {"data": "xyz"}, work)
    (other,) = set(folder.iterdir()) - {path}
    other.write_bytes(content)
    with pytest.warns(UserWarning, match="computed from other data; computing it again"):
        cached("squares", {"data": "xyz"}, work)
    assert work.calls == 3


def test_unwritable_folder_only_warns(folder: Path, work: Work) -> None:
    folder.write_text("a file")
    with pytest.warns(UserWarning, match="the result is not cached"):
        assert cached("squares", {}, work)["squares"][-1] == 16
