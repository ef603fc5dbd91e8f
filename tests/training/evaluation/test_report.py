"""Reports as terminal tables, Markdown and files."""

import dataclasses
import io
import itertools
import json
import math
import os
from pathlib import Path

import pytest
from rich.console import Console

import mnistgen
from training.evaluation.figures import ABSENT, FIGURES, Estimate, JudgeRecord, Report, Scores, to_json
from training.evaluation.report import GROUPS, README_FIGURES, markdown, readme_rows, tables, write

SHARES = (Estimate(0.1, 0.01),) * 10
REPORT = Report(
    form="full",
    samples=10_000,
    seeds=(1, 2, 3),
    target="10,000 test digits",
    fresh="9,998 other training digits",
    references=(
        Scores("other training digits", "", {key: Estimate(1.0) for key in FIGURES}, SHARES),
        Scores("per-pixel Gaussian", "", {"ratio": Estimate(1234.5)}, SHARES),
    ),
    models=(
        Scores("mlp", "labels by the classifier", {key: Estimate(2.5, 0.25) for key in FIGURES}, SHARES),
        Scores(
            "digits|by class",
            "",
            {"ratio": Estimate(math.nan)},
            SHARES,
            confusion=tuple(tuple(900 + label if label == read else 0 for read in range(10)) for label in range(10)),
        ),
    ),
    handwriting={"mlp": {"slant_r2": 0.975, "reconstruction_error": 0.00917}},
    judges={
        "classifier": JudgeRecord(0.0253, "c0ffee", 0.9933),
        "autoencoder": JudgeRecord(0.111, "decade"),
        "untrained": JudgeRecord(0.663),
    },
    data_sha256="da7a",
    versions={"torch": "2.15"},
)
NAMES = [scores.name for scores in (*REPORT.models, *REPORT.references)]
PICTURES = {"mlp": {"map": "mlp/map.png"}, "digits|by class": {"confusion": "by class/confusion.png"}}


def test_every_figure_is_in_one_group() -> None:
    assert sorted(key for keys in GROUPS.values() for key in keys) == sorted(FIGURES)
    assert set(README_FIGURES) <= FIGURES.keys()


def table(report: Report) -> str:
    """Render the tables for a wide terminal."""
    console = Console(width=120, file=io.StringIO())
    console.print(*tables(report), sep="\n")
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


class TestTable:
    def test_contains_all_rows_and_figures(self) -> None:
        text = table(REPORT)
        for name in NAMES:
            assert text.count(f"\n {name} ") == len(GROUPS), name
        for definition in FIGURES.values():
            assert f" {definition.title} " in text

    def test_fits_a_terminal(self) -> None:
        assert max(map(len, table(REPORT).splitlines())) <= 110

    def test_absent_and_unknown_figures(self) -> None:
        lines = table(REPORT).splitlines()
        unknown, gaussian = (next(line for line in lines if name in line) for name in ("digits|by", "per-pixel"))
        assert unknown.split()[2:] == [ABSENT] * 6  # "digits|by class": a ratio of NaN, the others absent
        assert gaussian.split()[2:] == ["1,234", *[ABSENT] * 5]

    def test_names_are_not_parsed_as_markup(self) -> None:
        row = Scores("[red]x[/red]", "", {"ratio": Estimate(1.5)}, SHARES)
        assert "[red]x[/red]" in table(dataclasses.replace(REPORT, models=(row,)))

    def test_omits_figures_that_no_row_has(self) -> None:
        row = Scores("x", "", {"ratio": Estimate(1.5)}, SHARES)
        text = table(dataclasses.replace(REPORT, models=(row,), references=()))
        assert FIGURES["ratio"].title in text
        assert FIGURES["accuracy_score"].title not in text


class TestMarkdown:
    def test_describes_configuration(self) -> None:
        text = markdown(REPORT, PICTURES)
        for part in ("A full evaluation: 10,000 digits", "seeds: 1, 2, 3.", "c0ffee", "99.33 %", "da7a", "torch 2.15"):
            assert part in text
        for name in (REPORT.target, REPORT.fresh, *REPORT.judges):
            assert name in text
        assert "mlp: labels by the classifier." in text

    def test_defines_figures_with_sources(self) -> None:
        text = markdown(REPORT, PICTURES)
        for definition in FIGURES.values():
            assert definition.meaning in text
            assert definition.source in text

    def test_tables_are_well_formed(self) -> None:
        lines = markdown(REPORT, PICTURES).splitlines()
        for before, rule in itertools.pairwise(lines):
            if rule.startswith("| ---"):
                assert before.count("|") == rule.count("|")
        for name in ("mlp", r"digits\|by class", "per-pixel Gaussian"):
            assert sum(line.startswith(f"| {name} |") for line in lines) >= len(GROUPS) + 1

    def test_class_shares(self) -> None:
        text = markdown(REPORT, PICTURES)
        assert "| mlp | " + " | ".join(["10.0"] * 10) + " |" in text

    def test_pictures_are_linked(self) -> None:
        text = markdown(REPORT, PICTURES)
        assert "](mlp/map.png)" in text
        assert "](by%20class/confusion.png)" in text

    def test_without_models(self) -> None:
        assert "per-pixel Gaussian" in markdown(dataclasses.replace(REPORT, models=(), seeds=(1,)), {})


def test_readme_rows() -> None:
    lines = readme_rows((*REPORT.models, *REPORT.references)).splitlines()
    assert len(lines) == 2 + len(NAMES)
    assert lines[2].startswith("| mlp | 2.50 ± 0.25 | ")
    assert {line.replace(r"\|", "").count("|") for line in lines} == {len(README_FIGURES) + 2}


class TestWrite:
    def test_writes_both_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "folder"
        write(REPORT, folder, PICTURES)
        assert sorted(path.name for path in folder.iterdir()) == ["report.json", "report.md"]
        assert (folder / "report.md").read_text(encoding="utf-8") == markdown(REPORT, PICTURES)
        content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        assert content == to_json(REPORT)

    @pytest.mark.parametrize("failing", [1, 2])
    def test_full_disk_leaves_no_partial_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
    ) -> None:
        write(REPORT, tmp_path, PICTURES)
        old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        fsync, calls = os.fsync, 0

        def full(descriptor: int) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError("no space left")
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(mnistgen.OutputError, match="no space left"):
            write(dataclasses.replace(REPORT, samples=7), tmp_path, {})
        left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert left.keys() == old.keys()
        assert left["report.json"] == old["report.json"]
        assert (left["report.md"] == old["report.md"]) == (failing == 1)

    def test_infinite_number_raises(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="JSON compliant"):
            write(dataclasses.replace(REPORT, judges={"classifier": JudgeRecord(math.inf)}), tmp_path, {})
        assert list(tmp_path.iterdir()) == []


def test_documentation_matches_cards() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "evaluation.md").read_text()
    for name, card in mnistgen.models().items():
        assert card.quality is not None, name
        figures = {key: Estimate(value["mean"], value["interval"]) for key, value in card.quality["figures"].items()}
        row = readme_rows([Scores(name, "", figures, class_shares=())]).splitlines()[-1]
        assert row in page, f"docs/evaluation.md lacks {row}"
        for value in card.quality["figures"].values():
            assert value["real_digits"] is not None
