"""Wild arguments: a call returns what it promises, or raises an InputError of one line or Python's own TypeError."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import mnistgen

MOST = 300  # digits that one example may generate

numbers = st.integers(-(2**70), 2**70) | st.integers(-3, MOST) | st.booleans() | st.none()
reals = st.floats(-2, 2) | st.floats() | numbers
dtypes = st.sampled_from([np.uint8, np.int64, np.float32, np.float64, np.bool_, np.complex64, "<U2", object])
shapes = st.sampled_from(
    [(), (0,), (1,), (3,), (10,), (3, 10), (2, 2), (0, 28, 28), (1, 28, 28), (3, 28, 28), (28, 30)]
)
wild_arrays = st.tuples(dtypes, shapes).flatmap(lambda it: arrays.arrays(it[0], it[1], fill=st.nothing()))  # type: ignore[call-overload]
anything = numbers | reals | st.text(max_size=5) | st.lists(reals, max_size=4) | st.tuples(reals, reals) | wild_arrays
digit = st.integers(-1, 10) | st.lists(st.integers(0, 9), max_size=4) | anything
images = arrays.arrays(np.uint8, st.sampled_from([(1, 28, 28), (3, 28, 28), (0, 28, 28), (28, 28)])) | anything

sampled = st.fixed_dictionaries(
    {"n": st.integers(-1, MOST) | st.none() | st.just("3")},
    optional={
        "digit": digit,
        "labels": digit,
        "seed": numbers,
        "start": numbers,
        "truncation": reals,
        "thickness": anything,
        "slant": reals | st.tuples(reals, reals),
        "width": anything,
    },
)


@pytest.fixture(scope="module")
def generator() -> mnistgen.Generator:
    return mnistgen.Generator(device="cpu", threads=1)


def outcome(call: Any, *args: Any, **kwargs: Any) -> Any:
    """The result of a call, or None if it was refused in one line."""
    try:
        return call(*args, **kwargs)
    except mnistgen.InputError as error:
        message = str(error)
    except TypeError:  # of Python itself: an operation that the value does not have
        return None
    assert message.isprintable()
    assert 10 < len(message) <= 1000
    return None


@given(wanted=sampled)
@example(wanted={"n": None, "labels": np.eye(10, dtype=np.uint8)})
@example(wanted={"n": 2, "slant": (float("nan"), 0.1)})
@settings(max_examples=200)
def test_sample(generator: mnistgen.Generator, wanted: dict[str, Any]) -> None:
    drawn = outcome(generator.sample_labelled, **wanted)
    if drawn is not None:
        assert drawn.images.dtype == np.uint8
        assert drawn.images.shape == (len(drawn.labels), 28, 28)
        assert set(drawn.labels.tolist()) <= set(range(10))
        if "seed" in wanted and wanted["seed"] is not None:
            assert (generator.sample(**wanted) == drawn.images).all()


@given(latents=anything, labels=digit, style=anything, text=st.text("0123456789 x", max_size=4) | anything)
@settings(max_examples=100)
def test_decode_and_number(generator: mnistgen.Generator, latents: Any, labels: Any, style: Any, text: Any) -> None:
    decoded = outcome(generator.decode, latents, labels)
    assert decoded is None or decoded.shape[1:] == (28, 28)
    number = outcome(generator.number, text, style=style, seed=None)
    assert number is None or number.shape == (28, 28 * len(text))


@given(given_images=images, labels=digit, steps=st.integers(-1, 1) | anything)
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore:images. .* look like dark digits:UserWarning")
def test_encode_and_measure(generator: mnistgen.Generator, given_images: Any, labels: Any, steps: Any) -> None:
    encoded = outcome(generator.encode, given_images, labels, steps=steps)
    assert encoded is None or np.isfinite(encoded.latents).all()
    measured = outcome(mnistgen.measure, given_images)
    assert measured is None or len(measured.slant) == len(given_images)


@given(
    given_images=images,
    labels=digit,
    columns=numbers,
    scale=st.integers(-1, 5) | numbers,
    fps=reals,
    ending=st.sampled_from([".png", ".npy", ".npz", ".gif", ".apng", ".webp", ".jpg", ""]),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_save(tmp_path: Path, given_images: Any, labels: Any, columns: Any, scale: Any, fps: Any, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"old")
    outcome(mnistgen.save, path, given_images, labels, columns=columns, scale=scale, fps=fps)
    outcome(mnistgen.show, given_images, columns=columns, scale=scale)
    assert [it.name for it in tmp_path.iterdir()] == [path.name]
    path.unlink()


wanted_sets = st.fixed_dictionaries(
    {"n": st.integers(0, 20), "test": st.integers(-1, 5) | st.none()},
    optional={
        "format": st.sampled_from(["idx", "npz", "png", "webdataset", "csv"]),
        "digits": st.lists(st.integers(0, 10), max_size=4) | st.dictionaries(st.integers(0, 9), numbers) | anything,
        "balance": st.sampled_from(["uniform", "mnist", "even"]),
        "thickness": anything,
        "style": anything,
        "spread": reals,
        "seed": numbers,
        "start": numbers,
        "shard_size": numbers,
    },
)


@given(wanted=wanted_sets)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_write_dataset(tmp_path: Path, wanted: dict[str, Any]) -> None:
    summary = outcome(mnistgen.write_dataset, tmp_path / "data", force=True, **wanted)
    found = [it.name for it in tmp_path.iterdir()]
    assert found in ([], ["data"])
    if summary is not None:
        assert sum(sum(counts) for counts in summary.counts.values()) >= wanted["n"]
        assert (tmp_path / "data" / "dataset.json").is_file()
