"""Generator: results and errors."""

import dataclasses
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mnistgen
from mnistgen._arrays import Float32
from mnistgen._latents import draw
from mnistgen._loaded import chunk_size
from tests.mnistgen.conftest import HUGE, Unreadable, near

CHUNK = 64  # chunk size of the small models


class TestSample:
    def test_shape_and_dtype(self, generator: mnistgen.Generator) -> None:
        images, labels = generator.sample(300, seed=1, return_labels=True)
        assert images.shape == (300, 28, 28)
        assert images.dtype == np.uint8
        assert labels.shape == (300,)
        assert labels.dtype == np.int64
        assert set(labels) == set(range(10))

    @settings(max_examples=40)
    @given(
        seed=st.integers(0, 2**64 - 1),
        start=st.integers(0, 2**62),
        parts=st.lists(st.integers(1, 2 * CHUNK + 3), min_size=1, max_size=4),
        threads=st.sampled_from([1, 2, 3]),
        digit=st.none() | st.integers(0, 9) | st.lists(st.integers(0, 9), min_size=1, max_size=5),
        truncation=st.sampled_from([1.0, 0.6]),
    )
    def test_digits_depend_only_on_seed_and_index(
        self,
        generators: dict[int, mnistgen.Generator],
        seed: int,
        start: int,
        parts: list[int],
        threads: int,
        digit: int | list[int] | None,
        truncation: float,
    ) -> None:
        asked: Any = {"seed": seed, "digit": digit, "truncation": truncation}
        whole, labels = generators[1].sample(sum(parts), start=start, **asked, return_labels=True)
        offset = 0
        for count in parts:
            images, part_labels = generators[threads].sample(count, start=start + offset, **asked, return_labels=True)
            assert near(images, whole[offset : offset + count])
            assert (part_labels == labels[offset : offset + count]).all()
            offset += count

    def test_graph_receives_exact_latents_and_labels(
        self, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[Float32, Float32 | None]] = []

        class Recorder:
            device = "cpu"

            def run(self, latents: Float32, classes: Float32 | None) -> Float32:
                seen.append((latents, classes))
                return np.zeros((len(latents), 28, 28), np.float32)

        monkeypatch.setattr("mnistgen._sampling.OnnxSession", lambda *_: Recorder())
        recorded = mnistgen.Generator(conditional_model)
        recorded.sample(2 * CHUNK + 5, seed=9, start=77)
        latents, labels = draw(9, 77, 2 * CHUNK + 5, recorded.card.latent_dim)
        assert [len(part) for part, _ in seen] == [CHUNK, CHUNK, 5]
        assert np.concatenate([part for part, _ in seen]).tobytes() == latents.tobytes()
        assert (np.concatenate([part for _, part in seen if part is not None]).argmax(axis=1) == labels).all()

    def test_digit(self, generator: mnistgen.Generator) -> None:
        images, labels = generator.sample(5, digit=7, seed=1, return_labels=True)
        assert labels.tolist() == [7] * 5
        latents, _ = draw(1, 0, 5, generator.card.latent_dim)
        assert near(images, generator.decode(latents, [7] * 5))

    def test_several_digits_cycle(self, generator: mnistgen.Generator) -> None:
        images, labels = generator.sample(digit=[2, 0, 2, 6], seed=1, return_labels=True)
        assert labels.tolist() == [2, 0, 2, 6]
        latents, _ = draw(1, 0, 4, generator.card.latent_dim)
        assert near(images, generator.decode(latents, [2, 0, 2, 6]))
        later = generator.sample(5, digit=np.array([2, 0, 6]), seed=1, start=1, return_labels=True)
        assert later.labels.tolist() == [0, 6, 2, 0, 6]

    def test_labels(self, generator: mnistgen.Generator) -> None:
        images, labels = generator.sample(labels=[3, 1, 4], seed=1, start=7, return_labels=True)
        assert labels.tolist() == [3, 1, 4]
        latents, _ = draw(1, 7, 3, generator.card.latent_dim)
        assert near(images, generator.decode(latents, [3, 1, 4]))
        mixtures = np.full((3, 10), 0.1)
        assert near(generator.sample(labels=mixtures, seed=1, start=7), generator.decode(latents, mixtures))
        long = np.arange(2 * CHUNK + 3) % 10
        assert (generator.sample(labels=long, seed=1, return_labels=True).labels == long).all()

    def test_truncation_scales_latents(self, generator: mnistgen.Generator) -> None:
        latents, labels = draw(1, 0, 9, generator.card.latent_dim)
        assert near(generator.sample(9, seed=1, truncation=0.5), generator.decode(latents * np.float32(0.5), labels))
        middle = generator.sample(9, seed=1, truncation=0, digit=4)
        assert near(middle, np.repeat(middle[:1], 9, axis=0))

    def test_random_seed_is_logged_and_reproducible(
        self, generator: mnistgen.Generator, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("INFO", logger="mnistgen"):
            images = generator.sample(3)
        seed = int(caplog.messages[0].removeprefix("seed "))
        assert near(images, generator.sample(3, seed=seed))
        assert not near(images, generator.sample(3))

    @pytest.mark.parametrize("n", [0, -1, 2.5, "3", True, np.float32(2)])
    def test_n_must_be_a_positive_integer(self, generator: mnistgen.Generator, n: Any) -> None:
        with pytest.raises(mnistgen.InputError, match="n: expected a whole number, 1 or more, got"):
            generator.sample(n)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"digit": 10}, "digit: expected a whole number, 0 to 9, got 10"),
            ({"digit": -1}, "digit: expected a whole number, 0 to 9, got -1"),
            ({"seed": -1}, "seed: expected a whole number, 0 or more, got -1"),
            ({"seed": 2**64}, "seed: expected a whole number, at most 18446744073709551615"),
            ({"seed": 1.5}, "seed: expected a whole number, 0 or more, got 1.5"),
            ({"digit": []}, "digit: expected a whole number, 0 to 9, or several, got none"),
            ({"digit": [1, 10]}, "digit: expected a whole number, 0 to 9, got 10"),
            ({"digit": "12"}, "digit: expected a whole number, 0 to 9, got '12'"),
            ({"digit": 1, "labels": [1]}, "labels: expected none together with digit"),
            ({"labels": [1, 2]}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures (1, 10)"),
            ({"labels": np.full((1, 10), 0.1), "return_labels": True}, "return_labels: expected False for mixtures"),
            ({"truncation": 1.1}, "truncation: expected a number from 0 to 1, got 1.1"),
            ({"truncation": -0.1}, "truncation: expected a number from 0 to 1, got -0.1"),
            ({"truncation": float("nan")}, "truncation: expected a number from 0 to 1, got nan"),
            ({"truncation": True}, "truncation: expected a number from 0 to 1, got True"),
            ({"truncation": "1"}, "truncation: expected a number from 0 to 1, got '1'"),
            ({"start": -1}, "start: expected a whole number, 0 or more, got -1"),
            ({"start": 2**63}, "start: expected a whole number, at most"),
            ({"seed": HUGE}, "seed: expected a whole number, at most 18446744073709551615, got an object of type int"),
            ({"start": HUGE}, "start: expected a whole number, at most"),
            ({"digit": HUGE}, "digit: expected a whole number, 0 to 9, got an object of type int"),
            ({"digit": range(10**12)}, "digit: expected a whole number, 0 to 9, got 10"),
            ({"digit": np.zeros((2, 2), int)}, "digit: expected a whole number, 0 to 9, got [0, 0]"),
            ({"truncation": HUGE}, "truncation: expected a number from 0 to 1, got an object of type int"),
            ({"truncation": np.zeros(2)}, "truncation: expected a number from 0 to 1, got array([0., 0.])"),
            ({"seed": np.zeros(2)}, "seed: expected a whole number, 0 or more, got array([0., 0.])"),
            ({"seed": Unreadable()}, "seed: expected a whole number, 0 or more, got an object of type Unreadable"),
            ({"return_labels": np.zeros(2)}, "return_labels: expected True or False, got array([0., 0.])"),
            ({"return_labels": 1}, "return_labels: expected True or False, got 1"),
            ({"labels": range(10**9)}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
            ({"labels": 10}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
            ({"labels": "7"}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
            ({"labels": [0.2] * 10}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
            (
                {"digit": Unreadable()},
                "digit: expected a whole number, 0 to 9, or several, got a value that NumPy cannot convert: ",
            ),
            ({"labels": [HUGE]}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
            ({"labels": [[0.5, 0.5], [1]]}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
            ({"labels": Unreadable()}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures"),
        ],
    )
    def test_invalid_arguments(self, generator: mnistgen.Generator, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            generator.sample(1, **arguments)
        assert str(error.value).startswith(message)

    @pytest.mark.parametrize("n", [10**8, 2**60, pytest.param(HUGE, id="huge")])
    def test_too_large_n_suggests_stream(self, generator: mnistgen.Generator, n: int) -> None:
        with pytest.raises(
            mnistgen.InputError,
            match=r"n: expected .* at most 10000000, got .*; generate them in batches with stream\(\)",
        ):
            generator.sample(n)

    @pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
    def test_out_of_memory(self, conditional_model: Path) -> None:
        script = f"""
import mnistgen, resource
generator = mnistgen.Generator({str(conditional_model)!r}, threads=1)
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
try:
    generator.sample(10_000_000)
except mnistgen.InputError as error:
    print(error)
"""
        result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        assert result.stdout == "10,000,000 digits do not fit in memory; generate them in batches with stream()\n"
        assert result.stderr == ""

    def test_scalar_labels(self, generator: mnistgen.Generator) -> None:
        assert generator.sample(digit=np.array(7), return_labels=True).labels.tolist() == [7]
        several: Any = [np.array(7), np.int8(1)]
        assert generator.sample(digit=several, return_labels=True).labels.tolist() == [7, 1]

    def test_numpy_integers_are_accepted(self, generator: mnistgen.Generator) -> None:
        assert len(generator.sample(np.int64(2), digit=np.uint8(3), seed=np.uint64(2**64 - 1))) == 2

    def test_single_label_for_all(self, generator: mnistgen.Generator) -> None:
        assert generator.sample(3, labels=7, seed=1, return_labels=True).labels.tolist() == [7, 7, 7]
        assert generator.sample(labels=7, return_labels=True).labels.tolist() == [7]
        mixture = [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]
        assert near(generator.sample(3, labels=mixture, seed=1), generator.sample(labels=[mixture] * 3, seed=1))
        assert generator.sample(labels=mixture).shape == (1, 28, 28)
        assert generator.sample(labels=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], seed=1).shape == (10, 28, 28)

    @pytest.mark.parametrize("arguments", [{"digit": 7}, {"labels": [7]}, {"return_labels": True}])
    def test_unconditional_model_rejects_labels(self, unconditional_model: Path, arguments: dict[str, Any]) -> None:
        with pytest.raises(mnistgen.InputError, match=r"model small is unconditional.*class-conditional models: "):
            mnistgen.Generator(unconditional_model).sample(1, **arguments)


class TestStream:
    def test_matches_sample(self, generator: mnistgen.Generator) -> None:
        batches = list(generator.stream(250, seed=4, start=10, batch_size=100, return_labels=True))
        assert [len(batch.images) for batch in batches] == [100, 100, 50]
        images, labels = generator.sample(250, seed=4, start=10, return_labels=True)
        assert near(np.concatenate([batch.images for batch in batches]), images)
        assert (np.concatenate([batch.labels for batch in batches]) == labels).all()

    def test_batches_share_random_seed(self, generator: mnistgen.Generator, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="mnistgen"):
            images = np.concatenate(list(generator.stream(20, batch_size=10)))
        assert len(caplog.messages) == 1
        assert near(images, generator.sample(20, seed=int(caplog.messages[0].removeprefix("seed "))))

    def test_raises_at_call(self, generator: mnistgen.Generator) -> None:
        for size in (0, 10**8):
            with pytest.raises(mnistgen.InputError, match="batch_size"):
                generator.stream(10, batch_size=size)
        with pytest.raises(mnistgen.InputError, match="n: expected a whole number, at most 10000000"):
            generator.stream(labels=range(10**12))
        with pytest.raises(mnistgen.InputError, match="n: "):
            generator.stream(0)

    def test_largest_index(self, generator: mnistgen.Generator) -> None:
        assert next(generator.stream(2**63, seed=1, batch_size=7)).shape == (7, 28, 28)

    def test_memory_does_not_grow_with_n(self, generator: mnistgen.Generator) -> None:
        tracemalloc.start()
        try:
            total = sum(len(batch) for batch in generator.stream(20_000, seed=1))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert total == 20_000
        assert peak < 5e6  # bytes; all images at once would be 15.7e6

    def test_cycles_continue_across_batches(self, generator: mnistgen.Generator) -> None:
        batches = list(generator.stream(10, digit=[1, 2, 3], seed=1, batch_size=4, return_labels=True))
        assert np.concatenate([batch.labels for batch in batches]).tolist() == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]
        batches = list(generator.stream(labels=[5, 6, 7, 8], seed=1, batch_size=3, return_labels=True))
        assert [batch.labels.tolist() for batch in batches] == [[5, 6, 7], [8]]


class TestDecode:
    def test_class_mixtures(self, generator: mnistgen.Generator) -> None:
        latents, _ = draw(1, 0, 4, generator.card.latent_dim)
        plain = generator.decode(latents, np.array([1, 2, 3, 4], np.uint8))
        assert near(plain, generator.decode(latents, np.eye(10)[[1, 2, 3, 4]]))
        halfway = (np.eye(10)[[1, 2, 3, 4]] + np.eye(10)[[5, 5, 5, 5]]) / 2
        assert not near(plain, generator.decode(latents, halfway))

    def test_empty_input(self, generator: mnistgen.Generator) -> None:
        no_labels = np.zeros(0, np.int64)
        assert generator.decode(np.zeros((0, 10), np.float32), no_labels).shape == (0, 28, 28)

    def test_any_memory_order(self, generator: mnistgen.Generator) -> None:
        latents, labels = draw(1, 0, 6, generator.card.latent_dim)
        assert near(generator.decode(np.asfortranarray(latents), labels), generator.decode(latents, labels))

    def test_latents_of_seed(self) -> None:
        images, labels = mnistgen.generate(20, seed=3, start=5, return_labels=True)
        latents = mnistgen.latents(3, 5, 20)
        assert latents.dtype == np.float32
        assert latents.shape == (20, 64)
        assert near(mnistgen.Generator().decode(latents, labels), images)
        with pytest.raises(mnistgen.InputError, match="start: expected a whole number, at most"):
            mnistgen.latents(3, 2**63, 1)

    @pytest.mark.parametrize(
        ("latents", "came"),
        [
            (np.zeros((2, 11), np.float32), "float32 (2, 11)"),
            (np.zeros((1, 2, 10)), "float64 (1, 2, 10)"),
            (np.float32(0), "float32 ()"),
            ([[0] * 10], "int64 (1, 10)"),
            ([[0.0] * 10, [0.0]], "a value that NumPy cannot convert: ValueError"),
            (np.zeros((2, 10), ml_dtypes.bfloat16), "bfloat16 (2, 10)"),
            (np.full((2, 10), np.nan, np.float32), "20 NaN or out-of-range values"),
            (np.full((1, 10), np.inf, np.float32), "10 NaN or out-of-range values"),
            (np.array([[3e38, -3e38, 1000, -1000, 1001, 0, 0, 0, 0, 0]], np.float32), "3 NaN or out-of-range values"),
        ],
    )
    def test_invalid_latents(self, generator: mnistgen.Generator, latents: Any, came: str) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            generator.decode(latents, [0, 1])
        expected = "latents: expected float (N, 10) or (10,) from -1000 to 1000, got "
        assert str(error.value).startswith(f"{expected}{came}")

    def test_largest_latents(self, generator: mnistgen.Generator) -> None:
        assert generator.decode(np.full((1, 10), 1000, np.float32), [3]).any()

    @pytest.mark.parametrize(
        ("labels", "came"),
        [
            (None, "none"),
            ([1], "int64 (1,)"),
            ([1, 10], "values from 1 to 10"),
            ([-1, 1], "values from -1 to 1"),
            ([1.0, 2.0], "float64 (2,)"),
            (np.ones((2, 10)), "rows with other sums"),
            (np.full((2, 10), np.nan), "entries that are not from 0 to 1"),
            (np.tile([2.0, -1, 0, 0, 0, 0, 0, 0, 0, 0], (2, 1)), "entries that are not from 0 to 1"),
            (np.tile([1e30, -1e30, 1, 0, 0, 0, 0, 0, 0, 0], (2, 1)), "entries that are not from 0 to 1"),
            (["one", "two"], "<U3 (2,)"),
            (np.array([1, 2], ml_dtypes.bfloat16), "bfloat16 (2,)"),
            ([1, 2, 3], "int64 (3,)"),
            (range(10**9), "1,000,000,000 values"),
            ([[1, 2], [3]], "a value that NumPy cannot convert: ValueError('setting an array element with a "),
        ],
    )
    def test_invalid_labels(self, generator: mnistgen.Generator, labels: Any, came: str) -> None:
        with pytest.raises(mnistgen.InputError) as error:
            generator.decode(np.zeros((2, 10), np.float32), labels)
        assert str(error.value).startswith("labels: expected whole numbers (2,) from 0 to 9, or mixtures (2, 10)")
        assert f", got {came}" in str(error.value)
        assert len(str(error.value)) < 500

    def test_unconditional_model_rejects_labels(self, unconditional_model: Path) -> None:
        generator = mnistgen.Generator(unconditional_model)
        assert generator.decode(np.zeros((2, 10), np.float32)).shape == (2, 28, 28)
        with pytest.raises(mnistgen.InputError, match="unconditional and takes none"):
            generator.decode(np.zeros((2, 10), np.float32), [1, 2])


def test_chunk_size_depends_on_cost(conditional_model: Path) -> None:
    card = mnistgen.Generator(conditional_model).card
    sizes = {
        work: chunk_size(dataclasses.replace(card, multiply_adds=work)) for work in (0, 10**6, 10**7, 10**8, 10**12)
    }
    assert sizes == {0: 1024, 10**6: 1024, 10**7: 150, 10**8: 32, 10**12: 32}


def test_repr(conditional_model: Path) -> None:
    generator = mnistgen.Generator(conditional_model, device="cpu", threads=1)
    assert generator.device == "cpu"
    assert generator.card.name == "small"
    assert repr(generator) == f"Generator({str(conditional_model)!r}, device='cpu', threads=1)"


@pytest.mark.parametrize("threads", [0, -2, 1.5, "two", True, pytest.param(HUGE, id="huge")])
def test_invalid_threads(conditional_model: Path, threads: Any) -> None:
    with pytest.raises(mnistgen.InputError, match="threads: expected a whole number"):
        mnistgen.Generator(conditional_model, threads=threads)


def test_threads_are_limited_to_four_per_cpu(conditional_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnistgen._checks.usable_cpus", lambda: 2)
    assert mnistgen.Generator(conditional_model, threads=8).threads == 8
    with pytest.raises(mnistgen.InputError, match="threads: expected a whole number, 1 to 8, got 1024; usable CPUs: 2"):
        mnistgen.Generator(conditional_model, threads=1024)


def test_unpickling_with_fewer_cpus(conditional_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnistgen._checks.usable_cpus", lambda: 2)
    generator = mnistgen.Generator(conditional_model, threads=8)
    monkeypatch.setattr("mnistgen._checks.usable_cpus", lambda: 1)
    assert pickle.loads(pickle.dumps(generator)).threads == 4  # noqa: S301 - our own bytes


@pytest.mark.parametrize("device", [None, 1, np.array(["cpu", "cuda"]), ["cpu"]])
def test_invalid_devices(conditional_model: Path, device: Any) -> None:
    with pytest.raises(mnistgen.InputError, match="device: expected one of auto, cpu, cuda, got"):
        mnistgen.Generator(conditional_model, device=device)


def test_generate(conditional_model: Path) -> None:
    images, labels = mnistgen.generate(6, seed=1, start=3, model=conditional_model, return_labels=True)
    expected = mnistgen.Generator(conditional_model).sample(6, seed=1, start=3, return_labels=True)
    assert near(images, expected.images)
    assert (labels == expected.labels).all()
