"""`mnistgen models` and `info`: cards as tables and as JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import mnistgen
from mnistgen._cli.cards import FIGURES
from tests.conftest import RunCli, write_model


class TestModelsAndInfo:
    def test_models_lists_all_bundled_models(self, run_cli: RunCli) -> None:
        outcome = run_cli("models")
        assert outcome.code == 0
        assert [line.split()[0] for line in outcome.out.splitlines()] == list(mnistgen.models())

    def test_json_contains_cards(self, run_cli: RunCli, conditional_model: Path) -> None:
        cards = json.loads(run_cli("models", "--json").out)
        assert cards == {name: card.to_dict() for name, card in mnistgen.models().items()}
        card = json.loads(run_cli("info", conditional_model, "--json").out)
        assert card == json.loads((conditional_model / "card.json").read_text())

    def test_info_shows_all_fields(self, run_cli: RunCli, conditional_model: Path) -> None:
        lines = run_cli("info", conditional_model, "--all").out.splitlines()
        card = json.loads((conditional_model / "card.json").read_text())
        assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(card)
        assert "quality        not measured" in lines

    @pytest.mark.parametrize("model", mnistgen.models())
    def test_info_of_bundled_models(self, run_cli: RunCli, model: str) -> None:
        outcome = run_cli("info", model, "--all")
        assert (outcome.code, outcome.err) == (0, "")
        lines = outcome.out.splitlines()
        assert f"summary        {mnistgen.models()[model].summary}" in lines
        assert not [line for line in lines if "not measured" in line]  # absent parts of presets are "none"

    def test_info_has_ten_lines(self, run_cli: RunCli) -> None:
        lines = run_cli("info").out.splitlines()
        names = [line.split()[0] for line in lines]
        assert names == [*("name", "summary", "conditional", "latent_dim", "parameters", "licence"), *FIGURES]

    def test_info_without_quality(self, run_cli: RunCli, conditional_model: Path) -> None:
        assert run_cli("info", conditional_model).out.splitlines()[-1] == "quality      not measured"

    def test_info_shows_figures_of_real_digits_and_float32(self, run_cli: RunCli, tmp_path: Path) -> None:
        ratio = {"mean": 1.234, "interval": 0.05, "real_digits": 1.0, "float32": 1.2}
        model = write_model(tmp_path / "measured", quality={"ratio": ratio})
        lines = run_cli("info", model, "--all").out.splitlines()
        assert "  ratio  1.234 ± 0.05  (real digits: 1, float32: 1.2)" in lines

    @pytest.mark.parametrize(
        ("quality", "lines"),
        [
            ({"a": "text", "b": [1, "x", None], "c": None}, ["  a  text", "  b  [1, x, none]", "  c  none"]),
            ({"a": float("nan"), "b": float("inf"), "c": True}, ["  a  nan", "  b  inf", "  c  yes"]),
            ({"a": {"mean": 1.5}}, ["  a", "    mean  1.5"]),
            ({"a": {"interval": 1.5}}, ["  a", "    interval  1.5"]),
            ({"a": {"mean": None, "interval": None}}, ["  a  none"]),
            ({"a": {"mean": "x", "interval": "y", "float32": "z"}}, ["  a  x ± y  (float32: z)"]),
            ({"a": {"mean": [1], "interval": {}}}, ["  a", "    mean      [1]", "    interval"]),
            ({"a": {"mean": 10**50, "interval": 10**50}}, [f"  a  {10**50:,} ± {10**50:,}"]),
            ({"a": [{"mean": 1, "interval": 2}, {"x": [{}]}]}, ["  a  [1 ± 2, {x: [{}]}]"]),
            ({"a": 10**4000}, [f"  a  {f'{10**4000:,}'[:299]}…"]),
            ({"a\nb": "\x1b[31mred\r\n\u202e"}, ["  a\\nb  \\x1b[31mred\\r\\n\\u202e"]),
            ({"": "y" * 1000}, [f"    {'y' * 299}…"]),
        ],
        ids=range(12),
    )
    def test_info_with_invalid_figures(
        self, run_cli: RunCli, tmp_path: Path, quality: dict[str, Any], lines: list[str]
    ) -> None:
        model = write_model(tmp_path, quality=quality)
        outcome = run_cli("info", model, "--all")
        assert (outcome.code, outcome.err) == (0, "")
        shown = outcome.out.splitlines()
        assert shown[shown.index("quality") + 1 :] == lines
        assert run_cli("info", model, "--json").code == 0

    def test_card_text_is_shown_in_one_line(self, run_cli: RunCli, tmp_path: Path) -> None:
        model = write_model(tmp_path, summary="\x1b]0;title\x07\nsecond", licence="z" * 1000)
        lines = run_cli("info", model, "--all").out.splitlines()
        assert "summary        \\x1b]0;title\\x07\\nsecond" in lines
        assert f"licence        {'z' * 299}…" in lines

    def test_models_shows_one_line_summaries(
        self, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_model(tmp_path / "digits", summary="\x1b[31m\n" + "y" * 1000, parameters=2**64)
        monkeypatch.setattr("mnistgen._catalog.MODELS", tmp_path)
        (line,) = run_cli("models").out.splitlines()
        assert "M parameters  \\x1b[31m\\nyyy" in line
        assert len(line) < 400

    def test_encoding_without_plus_minus(self, tmp_path: Path) -> None:
        model = write_model(tmp_path, quality={"ratio": {"mean": 1.234, "interval": 0.05}}, summary="ö")
        command = [sys.executable, "-m", "mnistgen", "info", str(model), "--all"]
        environment = os.environ | {"PYTHONIOENCODING": "ascii"}
        result = subprocess.run(command, env=environment, capture_output=True, check=True)
        assert result.stdout.decode("ascii").endswith("  ratio  1.234 +- 0.05\n")
        assert result.stderr == b""


class TestInNotebooks:
    def test_short_representations(self) -> None:
        models = mnistgen.models()
        assert repr(models["dcgan"]).startswith("ModelCard('dcgan': deep convolutional GAN: ")
        assert len(repr(models)) < 1_500

    def test_tables(self, tmp_path: Path) -> None:
        table = ElementTree.fromstring(mnistgen.models()._repr_html_())  # noqa: S314 - our own
        assert [row[0].text for row in table] == ["model", *mnistgen.models()]
        card = ElementTree.fromstring(mnistgen.models()["digits"]._repr_html_())  # noqa: S314
        assert {"parameters", "ratio", "label accuracy"} <= {row[0].text for row in card}

    def test_untrusted_text_is_escaped(self, tmp_path: Path) -> None:
        card = mnistgen.Generator(write_model(tmp_path, name="<b>", summary="<script>")).card
        assert "<b>" not in card._repr_html_()
        assert "<script>" not in card._repr_html_()

    @pytest.mark.parametrize("figures", [None, 3, [1], {"a": 3}, {"a": {"b": 1}}, {"a": {"mean": [1]}}])
    def test_untrusted_figures(self, tmp_path: Path, figures: Any) -> None:
        card = mnistgen.Generator(write_model(tmp_path, quality={"figures": figures})).card
        ElementTree.fromstring(card._repr_html_())  # noqa: S314
