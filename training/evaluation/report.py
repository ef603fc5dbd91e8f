"""Output of reports: tables for the terminal, report.md, report.json and a Markdown table for the README."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from rich import box
from rich.table import Table
from rich.text import Text

from mnistgen._files import whole_file
from training.evaluation.figures import ABSENT, FIGURES, JudgeRecord, Report, Scores, to_json
from training.evaluation.handwriting import HANDWRITING
from training.evaluation.judges import JUDGES
from training.evaluation.pictures import PICTURES

Rows = list[list[str]]  # the first row is the header, the first column the names
Pictures = Mapping[str, Mapping[str, str]]  # title, such as a model's name -> key of PICTURES -> path from report.md

# The figures are split into several tables, to fit a terminal.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Fréchet ratios": ("ratio", "worst_ratio", *(f"{judge}_ratio" for judge in JUDGES)),
    "Fidelity and diversity": ("precision", "recall", "density", "coverage"),
    "Labels and classification": ("label_accuracy", "class_balance", "accuracy_score", "large_accuracy_score"),
    "Memorisation": ("nearest_ratio", "authenticity"),
}
# The columns of the README's single table.
README_FIGURES = tuple(key for keys in GROUPS.values() for key in keys if key != "authenticity")
ARROWS = {"up": "↑", "down": "↓", "near 1": "→1"}
DIRECTIONS = {"up": "higher is better", "down": "lower is better", "near 1": "nearer to 1 is better"}


def tables(report: Report) -> Iterator[Table]:
    """The figures as terminal tables: one for each non-empty group of GROUPS, with a row for each set of digits."""
    for title, (header, *rows) in _groups(report):
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(header):
            table.add_column(name, justify="right" if index else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, row))  # Text: names must not be parsed as rich markup
        yield table


def readme_rows(rows: Sequence[Scores]) -> str:
    """A compact Markdown table with one row for each set of digits."""
    return _markdown_table(_rows(rows, README_FIGURES))


def write(report: Report, directory: Path, pictures: Pictures) -> None:
    """Write report.md and report.json into the directory, each atomically. Pictures are linked by relative path.

    Raises ValueError if a number in the report is infinite, and OutputError if the files cannot be written.
    """
    contents = {
        "report.md": markdown(report, pictures),
        "report.json": json.dumps(to_json(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n",
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with whole_file(directory / name) as file:
            file.write(content.encode())


def markdown(report: Report, pictures: Pictures) -> str:
    """The report as Markdown, with links to the pictures."""
    sections = [
        "# How close the generated digits are to real ones",
        _what_was_measured(report),
        *(f"## {title}\n\n{_markdown_table(rows)}" for title, rows in _groups(report)),
        *notes(report),
        _class_shares(report),
        *_picture_sections(pictures),
        "## The figures\n\n" + "\n".join(map(_definition, FIGURES)),
    ]
    if report.handwriting:
        sections.append("\n".join(f"- **{_spoken(key)}**: {meaning}." for key, meaning in HANDWRITING.items()))
    return "\n\n".join(sections) + "\n"


def _spoken(key: str) -> str:
    return key.replace("_", " ").replace(" r2", " R²")


def _what_was_measured(report: Report) -> str:
    judges = "\n".join(
        f"  - {name}: {JUDGES[name].summary}; {_about(record)}" for name, record in report.judges.items()
    )
    return f"""\
A {report.form} evaluation: {report.samples:,} digits per model and sampling seed; seeds: {_listed(report.seeds)}.
Figures of reports with another number of digits are not comparable.

- **Target**: {report.target}, which all sets of digits are compared with.
- **Fresh digits**: {report.fresh}, whose Fréchet distance to the target is the denominator of the ratios. The two sets
  are disjoint, and no judge was trained on either.
- **Interpretation.** A Fréchet ratio of 1.0 is a fresh draw of real digits. Arrows in column titles show which
  direction is better. The rows below the models are references of known quality, measured with the first seed.
- **Uncertainty.** The number after ± is half the width of the 95 % confidence interval over sampling seeds (Student's
  t). It does not include the variance between training runs. {ABSENT} marks figures that do not apply or cannot be
  measured with so few digits.
- **Data and libraries.** Training images with SHA-256 `{report.data_sha256}`;
  {_listed(f"{name} {version}" for name, version in report.versions.items())}.
- **Judges**, none of which is used in training:
{judges}"""


def _about(judge: JudgeRecord) -> str:
    parts = [f"distance of the fresh digits {judge.fresh_distance:.3g}"]
    parts += [f"test accuracy {100 * judge.accuracy:.2f} %"] if judge.accuracy is not None else []
    parts += [f"SHA-256 `{judge.sha256}`"] if judge.sha256 is not None else []
    return ", ".join(parts)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _class_shares(report: Report) -> str:
    shares = [
        [row.name, *(f"{100 * share.mean:.1f}" for share in row.class_shares)]
        for row in (*report.models, *report.references)
    ]
    title = "## The share of each digit in %, as predicted by the classifier"
    return f"{title}\n\n{_markdown_table([['', *map(str, range(10))], *shares])}"


def _picture_sections(pictures: Pictures) -> Iterator[str]:
    for title, paths in pictures.items():
        links = [f"![{title}: {PICTURES.get(key, key)}]({quote(path)})" for key, path in paths.items()]
        yield "\n\n".join([f"## Pictures: {title}", *links])


def _definition(key: str) -> str:
    figure = FIGURES[key]
    source = f" Source: {figure.source}." if figure.source else ""
    title = f" ({figure.title})" if figure.title != figure.name else ""
    return f"- **{figure.name}**{title}; {DIRECTIONS[figure.better]}. {figure.meaning}{source}"


def notes(report: Report) -> list[str]:
    """A paragraph with all notes and the rows that they apply to; empty if there are none."""
    found: dict[str, list[str]] = {}
    for row in (*report.models, *report.references):
        if row.note:
            found.setdefault(row.note, []).append(row.name)
    return ["; ".join(f"{', '.join(names)}: {note}" for note, names in found.items()) + "."] if found else []


def _groups(report: Report) -> Iterator[tuple[str, Rows]]:
    """The title and rows of each table, without figures that no row has; then attributes and encoders."""
    rows = (*report.models, *report.references)
    for title, keys in GROUPS.items():
        known = [key for key in keys if any(key in row.figures for row in rows)]
        if known:
            yield title, _rows(rows, known)
    for name, figures in report.handwriting.items():
        table = [[_spoken(key), f"{value:.4f}"] for key, value in figures.items()]
        yield f"Handwriting: {name}", [["", "figure"], *table]


def _rows(rows: Sequence[Scores], keys: Sequence[str]) -> Rows:
    header = ["", *(f"{FIGURES[key].title} {ARROWS[FIGURES[key].better]}" for key in keys)]
    return [header, *([row.name, *_cells(row, keys)] for row in rows)]


def _cells(scores: Scores, keys: Sequence[str]) -> list[str]:
    known = scores.figures
    return [known[key].text(FIGURES[key].decimals) if key in known else ABSENT for key in keys]


def _markdown_table(rows: Rows) -> str:
    header, *body = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))
