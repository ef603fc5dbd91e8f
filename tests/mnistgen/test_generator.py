"""Generator: results and errors."""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mnistgen
from mnistgen._arrays import Float32
from mnistgen._latents import draw
from tests.conftest import write_model
from tests.mnistgen.conftest import near

CHUNK = 64  # chunk size of the small models
LABELS = [3, 1, 4]
ZEROS = np.zeros((2, 10), np.float32)
MIXTURE = [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]


class TestSample:
    def test_images_and_labels(self, generator: mnistgen.Generator) -> None:
        images, labels = generator.sample_labelled(300, seed=1)
        assert (images.shape, images.dtype.name) == ((300, 28, 28), "uint8")
        assert (labels.shape, labels.dtype.name) == ((300,), "int64")
        assert set(labels) == set(range(10))
        assert near(generator.sample(300, seed=1), images)
        assert len(generator.sample(np.int64(2), digit=np.uint8(3), seed=np.uint64(2**64 - 1))) == 2

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
        wanted: Any = {"seed": seed, "digit": digit, "truncation": truncation}
        whole, labels = generators[1].sample_labelled(sum(parts), start=start, **wanted)
        offset = 0
        for count in parts:
            images, part_labels = generators[threads].sample_labelled(count, start=start + offset, **wanted)
            assert near(images, whole[offset : offset + count])
            assert (part_labels == labels[offset : offset + count]).all()
            offset += count

    @pytest.mark.parametrize(("multiply_adds", "size"), [(0, 1024), (10**7, 150), (10**12, 32)])
    def test_network_receives_exact_inputs_in_chunks_of_its_cost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, multiply_adds: int, size: int
    ) -> None:
        seen: list[tuple[Float32, Float32]] = []

        class Recorder:
            device = "cpu"

            def images(self, latents: Float32, classes: Float32) -> Float32:
                seen.append((latents, classes))
                return np.zeros((len(latents), 28, 28), np.float32)

        monkeypatch.setattr("mnistgen._loaded.ImageSession", lambda directory, *, threads, device: Recorder())
        mnistgen.Generator(write_model(tmp_path, multiply_adds=multiply_adds)).sample(2 * size + 5, seed=9, start=77)
        latents, labels = draw(9, 77, 2 * size + 5, 10)
        assert [len(part) for part, _ in seen] == [size, size, 5]
        assert np.concatenate([part for part, _ in seen]).tobytes() == latents.tobytes()
        assert (np.concatenate([part for _, part in seen]) == np.eye(10)[labels]).all()

    @pytest.mark.parametrize(
        ("n", "digit", "expected"),
        [
            (3, 7, [7, 7, 7]),
            (None, np.array(7), [7]),
            (None, [2, 0, 2, 6], [0, 2, 6, 2]),
            (5, np.array([2, 0, 6]), [0, 6, 2, 0, 6]),
        ],
    )
    def test_digits_are_repeated_by_index(
        self, generator: mnistgen.Generator, n: int | None, digit: Any, expected: list[int]
    ) -> None:
        images, labels = generator.sample_labelled(n, digit=digit, seed=1, start=1)
        assert labels.tolist() == expected
        assert near(images, generator.decode(draw(1, 1, len(expected), 10)[0], expected))

    @pytest.mark.parametrize("labels", [LABELS, np.eye(10, dtype=int)[LABELS], np.eye(10, dtype=bool)[LABELS]])
    def test_labels(self, generator: mnistgen.Generator, labels: Any) -> None:
        images, found = generator.sample_labelled(labels=labels, seed=1, start=7)
        assert (found.tolist(), found.dtype.name) == (LABELS, "int64")
        latents, _ = draw(1, 7, 3, 10)
        assert near(images, generator.decode(latents, LABELS))
        assert near(images, generator.decode(latents, labels))
        assert generator.sample_labelled(3, labels=7).labels.tolist() == [7, 7, 7]

    def test_mixtures(self, generator: mnistgen.Generator) -> None:
        images = generator.sample(labels=[MIXTURE] * 3, seed=1)
        assert near(images, generator.sample(3, labels=MIXTURE, seed=1))
        latents, _ = draw(1, 0, 3, 10)
        assert near(images, generator.decode(latents, MIXTURE))
        assert not near(images, generator.decode(latents, 9))
        with pytest.raises(mnistgen.InputError, match="labels: expected whole numbers, got mixtures"):
            generator.sample_labelled(labels=MIXTURE)

    def test_truncation_scales_latents(self, generator: mnistgen.Generator) -> None:
        latents, labels = draw(1, 0, 9, 10)
        assert near(generator.sample(9, seed=1, truncation=0.5), generator.decode(latents * np.float32(0.5), labels))
        mean = generator.sample(9, seed=1, truncation=0, digit=4)
        assert near(mean, np.repeat(mean[:1], 9, axis=0))

    def test_random_seed_is_logged(self, generator: mnistgen.Generator, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO", logger="mnistgen"):
            streamed = np.concatenate(list(generator.stream(20, batch_size=10)))
            images = generator.sample(20)
        first, second = (int(message.removeprefix("seed ")) for message in caplog.messages)
        assert near(streamed, generator.sample(20, seed=first))
        assert near(images, generator.sample(20, seed=second))
        assert not near(images, streamed)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n": 0}, "n: expected a whole number, 1 or more, got 0"),
            ({"n": 2.5}, "n: expected a whole number, 1 or more, got 2.5"),
            ({"n": True}, "n: expected a whole number, 1 or more, got True"),
            (
                {"n": 10**8},
                "n: expected a whole number, at most 10000000, got 100000000; generate them in batches with",
            ),
            ({"digit": 10}, "digit: expected a whole number, 0 to 9, got 10"),
            ({"digit": [1, -1]}, "digit: expected a whole number, 0 to 9, got -1"),
            ({"digit": []}, "digit: expected a whole number, 0 to 9, or several, got none"),
            ({"digit": "12"}, "digit: expected a whole number, 0 to 9, got '12'"),
            ({"digit": 1, "labels": [1]}, "labels: expected none together with digit; pass only one of them"),
            ({"labels": [1, 2]}, "labels: expected whole numbers (1,) from 0 to 9, or mixtures (1, 10)"),
            ({"seed": 2**64}, "seed: expected a whole number, at most 18446744073709551615, got 18446744073709551616"),
            ({"seed": 1.5}, "seed: expected a whole number, 0 or more, got 1.5"),
            ({"start": -1}, "start: expected a whole number, 0 or more, got -1"),
            ({"truncation": float("nan")}, "truncation: expected a number from 0 to 1, got nan"),
        ],
    )
    def test_invalid_arguments(self, generator: mnistgen.Generator, arguments: dict[str, Any], message: str) -> None:
        for call in (generator.sample, generator.sample_labelled):
            with pytest.raises(mnistgen.InputError) as error:
                call(**{"n": 1} | arguments)
            assert str(error.value).startswith(message)

    def test_unconditional_model_takes_no_labels(self, unconditional_model: Path) -> None:
        generator = mnistgen.Generator(unconditional_model)
        latents, _ = draw(1, 0, 2, 10)
        assert near(generator.decode(latents), generator.sample(2, seed=1))
        refused = r"model small is unconditional.*class-conditional models: digits"
        for arguments in ({"digit": 7}, {"labels": [7]}):
            with pytest.raises(mnistgen.InputError, match=refused):
                generator.sample(1, **arguments)
        with pytest.raises(mnistgen.InputError, match=refused):
            generator.sample_labelled(1)
        with pytest.raises(mnistgen.InputError, match="unconditional and takes none"):
            generator.decode(latents, [1, 2])

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


class TestStream:
    @pytest.mark.parametrize("wanted", [{}, {"digit": [1, 2, 3]}, {"labels": np.arange(250) % 7}, {"labels": MIXTURE}])
    def test_matches_sample(self, generator: mnistgen.Generator, wanted: dict[str, Any]) -> None:
        batches = list(generator.stream(250, seed=4, start=10, batch_size=100, **wanted))
        assert [len(images) for images in batches] == [100, 100, 50]
        assert near(np.concatenate(batches), generator.sample(250, seed=4, start=10, **wanted))

    def test_arguments_are_checked_at_the_call(self, generator: mnistgen.Generator) -> None:
        for size in (0, 10**8):
            with pytest.raises(mnistgen.InputError, match="batch_size: expected a whole number"):
                generator.stream(10, batch_size=size)
        with pytest.raises(mnistgen.InputError, match="digit: expected a whole number"):
            generator.stream(10, digit=10)

    def test_is_endless_in_constant_memory(self, generator: mnistgen.Generator) -> None:
        for label in (None, np.array(3)):
            assert next(generator.stream(2**63, labels=label, seed=1, batch_size=7)).shape == (7, 28, 28)
        digits = mnistgen.Generator(threads=1).stream(10**12, seed=1, slant=np.array(0.1), batch_size=7)
        assert next(digits).shape == (7, 28, 28)
        tracemalloc.start()
        try:
            total = sum(len(batch) for batch in generator.stream(20_000, seed=1))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert total == 20_000
        assert peak < 5e6  # bytes; all images at once would be 15.7e6


class TestDecode:
    def test_latents_of_a_seed(self) -> None:
        images, labels = mnistgen.generate_labelled(20, seed=3, start=5)
        latents = mnistgen.latents(3, 5, 20)
        assert (latents.shape, latents.dtype.name) == ((20, 64), "float32")
        assert near(mnistgen.Generator().decode(latents, labels), images)
        assert near(mnistgen.Generator().decode(np.asfortranarray(latents), labels), images)
        assert mnistgen.Generator().decode(latents[:0], labels[:0]).shape == (0, 28, 28)
        with pytest.raises(mnistgen.InputError, match="start: expected a whole number, at most"):
            mnistgen.latents(3, 2**63, 1)

    @pytest.mark.parametrize(
        ("latents", "labels", "message"),
        [
            (np.zeros((2, 11), np.float32), [0, 1], "latents: {}, got float32 (2, 11)"),
            ([[0] * 10], [0, 1], "latents: {}, got int64 (1, 10)"),
            ([[0.0] * 10, [0.0]], [0, 1], "latents: {}, got a value that NumPy cannot convert: "),
            (np.full((2, 10), np.nan), [0, 1], "latents: {}, got 20 NaN or out-of-range values"),
            ([[3e38, -3e38, 1000, -1000, 1001, 0, 0, 0, 0, 0]], [0], "latents: {}, got 3 NaN or out-of-range values"),
            (ZEROS, None, "labels: {}, got none"),
            (ZEROS, [1], "labels: {}, got int64 (1,)"),
            (ZEROS, [1, 10], "labels: {}, got values from 1 to 10"),
            (ZEROS, ["one", "two"], "labels: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, got 'one'"),
            (ZEROS, [[1, 2], [3]], "labels: {}, got a value that NumPy cannot convert: "),
            (ZEROS, np.ones((2, 10)), "labels: {}, got rows with other sums"),
            (ZEROS, np.full((2, 10), np.nan), "labels: {}, got entries that are not from 0 to 1"),
            (ZEROS, [[2, -1, *[0] * 8]] * 2, "labels: {}, got whole numbers whose rows are not one-hot"),
        ],
    )
    def test_invalid_arguments(self, generator: mnistgen.Generator, latents: Any, labels: Any, message: str) -> None:
        expected = {
            "latents": "expected float (N, 10) or (10,) from -1000 to 1000",
            "labels": "expected whole numbers (2,) from 0 to 9, or mixtures (2, 10) whose rows sum to 1",
        }
        with pytest.raises(mnistgen.InputError) as error:
            generator.decode(latents, labels)
        assert str(error.value).startswith(message.format(expected[message.partition(":")[0]]))


def test_a_path_may_hold_a_new_model(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    before = mnistgen.generate(3, seed=1, model=path)
    write_model(tmp_path, conditional=False)
    assert not near(mnistgen.generate(3, seed=1, model=path), before)


def test_properties_and_shortcuts(conditional_model: Path) -> None:
    generator = mnistgen.Generator(conditional_model, device="cpu", threads=1)
    assert (generator.device, generator.threads, generator.card.name) == ("cpu", 1, "small")
    assert repr(generator) == f"Generator({str(conditional_model)!r}, device='cpu', threads=1)"
    images, labels = mnistgen.generate_labelled(6, seed=1, start=3, model=conditional_model)
    expected = generator.sample_labelled(6, seed=1, start=3)
    assert near(images, expected.images)
    assert (labels == expected.labels).all()
    assert near(mnistgen.generate(6, seed=1, start=3, model=conditional_model), images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threads": 0}, "threads: expected a whole number, 1 to 8, got 0"),
        ({"threads": 9}, "threads: expected a whole number, 1 to 8, got 9; usable CPUs: 2"),
        ({"device": "gpu"}, "device: expected one of auto, cpu, cuda, got 'gpu'; did you mean cpu?"),
        ({"device": None}, "device: expected one of auto, cpu, cuda, got None"),
    ],
)
def test_invalid_threads_and_devices(
    conditional_model: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("mnistgen._loaded.usable_cpus", lambda: 2)
    with pytest.raises(mnistgen.InputError) as error:
        mnistgen.Generator(conditional_model, **arguments)
    assert str(error.value) == message
