"""`mnistgen models` and `info`: cards, for people and as JSON."""

import json
from pathlib import Path

import pytest

import mnistgen
from tests.conftest import RunCli, write_model


class TestModelsAndInfo:
    def test_models_lists_every_bundled_one(self, run_cli: RunCli) -> None:
        outcome = run_cli("models")
        assert outcome.code == 0
        assert [line.split()[0] for line in outcome.out.splitlines()] == list(mnistgen.models())

    def test_json_is_the_cards(self, run_cli: RunCli, conditional_model: Path) -> None:
        cards = json.loads(run_cli("models", "--json").out)
        assert cards == {name: card.to_dict() for name, card in mnistgen.models().items()}
        card = json.loads(run_cli("info", conditional_model, "--json").out)
        assert card == json.loads((conditional_model / "card.json").read_text())

    def test_info_shows_every_field(self, run_cli: RunCli, conditional_model: Path) -> None:
        lines = run_cli("info", conditional_model).out.splitlines()
        card = json.loads((conditional_model / "card.json").read_text())
        assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(card)
        assert "quality        not measured" in lines

    @pytest.mark.parametrize("model", mnistgen.models())
    def test_info_of_every_bundled_one(self, run_cli: RunCli, model: str) -> None:
        outcome = run_cli("info", model)
        assert (outcome.code, outcome.err) == (0, "")
        lines = outcome.out.splitlines()
        assert f"summary        {mnistgen.models()[model].summary}" in lines
        assert not [line for line in lines if "not measured" in line]  # all are, and a preset's absent parts are "none"

    def test_info_shows_figures_beside_real_digits_and_float32(self, run_cli: RunCli, tmp_path: Path) -> None:
        ratio = {"mean": 1.234, "interval": 0.05, "real_digits": 1.0, "float32": 1.2}
        model = write_model(tmp_path / "measured", quality={"ratio": ratio})
        lines = run_cli("info", model).out.splitlines()
        assert "  ratio  1.234 ± 0.05  (real digits: 1, float32: 1.2)" in lines
