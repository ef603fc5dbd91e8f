"""What is measured, that the figures fit together, and what is printed; never how fast anything is."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import mnistgen
from mnistgen._bench import BATCHES, SECONDS, Report, Sampling, benchmark, thread_counts, timed
from mnistgen._product import ARITHMETICS, MULTIPLY_ADDS, PRODUCTS, SIDE, product
from tests.conftest import CPU, CUDA, RunCli, assert_refused, stand_in_for_onnxruntime

REPORT = Report(
    model="small",
    device="cpu",
    usable_cpus=2,
    multiply_adds=5_000_000,
    products={1: {"float32": 50e9, "int8": 200e9}, 2: {"float32": 100e9, "int8": 400e9}},
    samplings=[Sampling(1, 1, 0.0002, 5_000_000), Sampling(2, 1024, 0.0256, 5_000_000)],
)


@pytest.mark.parametrize(
    ("cpus", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12])]
)
def test_threads_double_up_to_all(cpus: int, counts: list[int]) -> None:
    assert thread_counts(cpus) == counts


class TestTimed:
    """With a clock that goes on by a second whenever it is read."""

    def test_warms_up_once_and_takes_its_rounds(self) -> None:
        calls: list[int] = []
        times = timed(lambda: calls.append(1), seconds=1, rounds=5, clock=itertools.count().__next__)
        assert times == [1] * 5
        assert len(calls) == 6

    def test_calls_longer_than_its_seconds_are_measured_once(self) -> None:
        assert timed(lambda: None, seconds=0.5, rounds=5, clock=itertools.count().__next__) == [1]

    def test_goes_on_for_its_seconds(self) -> None:
        # Each round reads the clock twice, and every look at the end once more after the rounds are had.
        times = timed(lambda: None, seconds=30, rounds=3, clock=itertools.count().__next__)
        assert len(times) == 11


class TestProduct:
    @pytest.mark.parametrize("arithmetic", ARITHMETICS)
    def test_multiplies(self, arithmetic: str) -> None:
        result = product(arithmetic, 1)()
        source = np.random.default_rng(0)
        left, right = (source.integers(0, 100, (SIDE, SIDE)).astype(np.float64) for _ in range(2))
        assert (result == left @ right).all()  # sums below 2**24 are whole in float32 too

    @pytest.mark.parametrize(
        ("arithmetic", "operator", "types"),
        [
            ("float32", "MatMul", (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT)),
            ("int8", "MatMulInteger", (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32)),
        ],
    )
    def test_graphs_are_one_product(self, arithmetic: str, operator: str, types: tuple[int, int, int]) -> None:
        shapes = {"left": ["N", "K"], "right": ["K", "M"], "product": ["N", "M"]}
        left, right, out = (
            helper.make_tensor_value_info(name, kind, shape)
            for (name, shape), kind in zip(shapes.items(), types, strict=True)
        )
        node = helper.make_node(operator, ["left", "right"], ["product"])
        graph = helper.make_graph([node], "product", [left, right], [out])
        expected = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        assert onnx.load(PRODUCTS / f"{arithmetic}.onnx") == expected

    def test_no_graph_without_its_arithmetic(self) -> None:
        assert {path.stem for path in PRODUCTS.iterdir()} == set(ARITHMETICS)


class TestMeasure:
    def test_every_batch_with_every_number_of_threads(self, conditional_model: Path) -> None:
        told: list[tuple[int, int, str]] = []
        report = benchmark(
            conditional_model, threads=[2, 1], batches=[3, 70, 3], seconds=0, progress=lambda *now: told.append(now)
        )
        assert [(one.threads, one.batch) for one in report.samplings] == [(2, 3), (2, 70), (1, 3), (1, 70)]
        assert {count: list(rates) for count, rates in report.products.items()} == {
            2: ["float32", "int8"],
            1: ["float32", "int8"],
        }
        assert all(rate > 0 for rates in report.products.values() for rate in rates.values())
        assert [(done, of) for done, of, _ in told] == [(done, 8) for done in range(8)]
        assert told[0][2] == "matrix product in float32, 2 threads"
        assert told[-1][2] == "batches of 70, 1 thread"

    def test_by_default_the_threads_that_may_be_used(
        self, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mnistgen._bench.usable_cpus", lambda: 3)
        report = benchmark(conditional_model, batches=[1], seconds=0)
        assert [one.threads for one in report.samplings] == list(report.products) == [1, 2, 3]
        assert report.usable_cpus == 3

    def test_the_machine_is_measured_on_a_cpu_alone(
        self, unconditional_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stand_in_for_onnxruntime(monkeypatch, [CUDA, CPU], ends_on=CUDA)
        report = benchmark(unconditional_model, batches=[1, 2], seconds=0)
        assert (report.device, report.products) == ("cuda", {})
        assert len(report.samplings) == 2
        assert report.to_dict()["samplings"][0]["share_of_product"] == {}
        assert "measured on a CPU only, not on cuda" in str(report)
        assert "of float32" not in str(report)


class TestReport:
    def test_figures(self) -> None:
        one = REPORT.samplings[1]
        assert one.images_per_second == pytest.approx(40_000)
        assert one.multiply_adds_per_second == pytest.approx(200e9)
        assert REPORT.shares(one) == pytest.approx({"float32": 2.0, "int8": 0.5})

    def test_table(self) -> None:
        assert str(REPORT).splitlines()[:-2] == [
            "small on cpu, 2 usable CPUs, 5,000,000 multiply-adds an image",
            "",
            "threads  batch     ms  images/s  G multiply-adds/s  of float32  of int8",
            "      1      1   0.20     5,000               25.0        50 %     12 %",
            "      2  1,024  25.60    40,000              200.0       200 %     50 %",
            "",
            f"Matrix product: two {SIDE}x{SIDE} matrices, multiplied by onnxruntime, G multiply-adds/s, fastest call.",
            "threads  float32   int8",
            "      1     50.0  200.0",
            "      2    100.0  400.0",
        ]


class TestCommand:
    FAST = ("--batch", "1,20", "--threads", "1", "--seconds", "0")

    def test_json_figures_fit_together(self, run_cli: RunCli, conditional_model: Path) -> None:
        outcome = run_cli("bench", conditional_model, *self.FAST, "--json")
        assert (outcome.code, outcome.err) == (0, "")
        report = json.loads(outcome.out)
        card = mnistgen.Generator(conditional_model).card
        assert (report["model"], report["device"], report["multiply_adds"]) == ("small", "cpu", card.multiply_adds)
        (machine,) = report["products"]
        assert (machine["threads"], machine["side"] ** 3) == (1, MULTIPLY_ADDS)
        assert [one["batch"] for one in report["samplings"]] == [1, 20]
        for one in report["samplings"]:
            assert one["images_per_second"] * one["seconds"] == pytest.approx(one["batch"])
            assert one["multiply_adds_per_second"] == pytest.approx(one["images_per_second"] * card.multiply_adds)
            for arithmetic, rate in machine["multiply_adds_per_second"].items():
                assert one["share_of_product"][arithmetic] * rate == pytest.approx(one["multiply_adds_per_second"])

    def test_table_shows_what_json_holds(
        self, run_cli: RunCli, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mnistgen, "benchmark", lambda *_, **__: REPORT)
        assert json.loads(run_cli("bench", "--json").out) == json.loads(json.dumps(REPORT.to_dict()))
        assert run_cli("bench").out == f"{REPORT}\n"

    def test_progress_on_a_terminal_is_wiped_out(
        self, run_cli: RunCli, conditional_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        outcome = run_cli("bench", conditional_model, *self.FAST)
        shown = [line.strip() for line in outcome.err.split("\r")]
        assert shown[1] == "0 of 4 measured, now matrix product in float32, 1 thread"
        assert shown[-3:] == ["3 of 4 measured, now batches of 20, 1 thread", "", ""]
        assert "\n" not in outcome.err
        assert "measured, now" not in outcome.out

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["mpl"], 2, ["no model 'mpl'", "did you mean mlp"]),
            (["--batch", "0"], 2, ["batch: expected a whole number, 1 or more, got 0"]),
            (["--batch", "1,2000000"], 2, ["batch: expected a whole number, at most 1000000, got 2000000"]),
            (["--batch", ""], 2, ["--batch", "expected a whole number, got ''"]),
            (["--batch", "16,x"], 2, ["--batch", "expected a whole number, got 'x'"]),
            (["--batch", "9" * 5000], 2, ["--batch", "expected a whole number, got '999"]),
            (["--threads", "1,0"], 2, ["threads: expected a whole number, 1 ", "got 0"]),
            (["--threads", "100000"], 2, ["threads: expected a whole number, ", "got 100000; usable CPUs: "]),
            (["--seconds", "-1"], 2, ["seconds: expected 0 to 3600 seconds, got -1.0"]),
            (["--seconds", "nan"], 2, ["seconds: expected 0 to 3600 seconds, got nan"]),
            (["--device", "tpu"], 2, ["'tpu' is not one of 'auto', 'cpu', 'cuda'"]),
        ],
    )
    def test_refused(self, run_cli: RunCli, arguments: list[str], code: int, words: list[str]) -> None:
        assert_refused(run_cli("bench", *arguments), code, *words)

    def test_help_names_the_defaults(self, run_cli: RunCli) -> None:
        text = run_cli("bench", "--help").out
        assert ",".join(map(str, BATCHES)) in text
        assert f"[default: {SECONDS}]" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batches": []}, "batch: expected at least one whole number, got none"),
        ({"batches": 10}, "batch: expected whole numbers, got 10"),
        ({"batches": [10**5000]}, "batch: expected a whole number, at most 1000000, got an object of type int"),
        ({"threads": np.array(1)}, "threads: expected whole numbers, got array(1)"),
        ({"seconds": "1"}, "seconds: expected 0 to 3600 seconds, got '1'"),
        ({"seconds": np.zeros(2)}, "seconds: expected 0 to 3600 seconds, got array([0., 0.])"),
    ],
)
def test_what_cannot_be_measured(conditional_model: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mnistgen.InputError) as error:
        benchmark(conditional_model, **arguments)
    assert str(error.value) == message
