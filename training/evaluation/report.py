"""A report written out: for the terminal, as report.md and report.json, and as rows for a README."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mnistgen.files import whole_file
from training.evaluation.figures import ABSENT, FIGURES, Estimate, Report, Scores
from training.evaluation.pictures import PICTURES

Rows = list[list[str]]  # the first row is the header, the first column the names
Pictures = Mapping[str, Mapping[str, str]]  # title, such as a model's name -> key of PICTURES -> path from report.md

# The tables that the figures are split into, for no terminal is wide enough for all of them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Distances to real digits": ("frechet_distance", "frechet_ratio", "random_distance", "random_ratio"),
    "Fidelity and variety": ("precision", "recall", "density", "coverage"),
    "Labels and use": ("label_accuracy", "class_balance", "accuracy_score", "large_accuracy_score"),
    "Copies": ("nearest_ratio", "authenticity"),
}
README_FIGURES = (
    "frechet_ratio",
    "random_ratio",
    "precision",
    "recall",
    "density",
    "coverage",
    "label_accuracy",
    "class_balance",
    "accuracy_score",
    "large_accuracy_score",
    "nearest_ratio",
)
ARROWS = {"up": "↑", "down": "↓", "near 1": "→1"}
DIRECTIONS = {"up": "higher is better", "down": "lower is better", "near 1": "nearer to 1 is better"}


def table(report: Report) -> str:
    """The figures as text in aligned columns: one block for each of GROUPS, in each a line for every set of digits."""
    blocks = [
        f"{title}\n{_aligned(_rows((*report.models, *report.references), keys))}" for title, keys in GROUPS.items()
    ]
    return "\n\n".join([*blocks, *_notes(report)])


def readme_rows(rows: Sequence[Scores]) -> str:
    """A compact Markdown table of sets of digits, one line each."""
    return _markdown_table(_rows(rows, README_FIGURES))


def write(report: Report, directory: Path, pictures: Pictures) -> None:
    """Write report.md and report.json into the directory, each whole or not at all.

    Pictures are linked by their paths from there. Raises ValueError where a number of the report is not finite, and
    OSError where the files cannot be written.
    """
    contents = {
        "report.md": markdown(report, pictures),
        "report.json": json.dumps(report.to_json(), indent=2, allow_nan=False, ensure_ascii=False) + "\n",
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with whole_file(directory / name) as file:
            file.write(content.encode())


def markdown(report: Report, pictures: Pictures) -> str:
    """The whole report as Markdown, pictures linked by the paths given."""
    sections = [
        "# How close the generated digits are to real ones",
        _what_was_measured(report),
        *_tables(report),
        *_class_tables(report),
        *_confusions(report),
        *_picture_sections(pictures),
        "## The figures\n\n" + "\n".join(map(_definition, FIGURES)),
    ]
    return "\n\n".join(sections) + "\n"


def _what_was_measured(report: Report) -> str:
    seeds = ", ".join(map(str, report.seeds))
    libraries = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f"""\
A {report.form} evaluation: {report.samples:,} digits of each model a sampling seed; seeds: {seeds}. Figures of reports
with another number of digits cannot be compared with these.

- **What is good.** A Fréchet ratio of 1.0 is a fresh draw of real digits. An arrow in a column's title says which way
  is better. The rows below the models are sets of digits known to be good or bad, measured in the same way.
- **How sure.** After ± stands half the 95 % interval over the sampling seeds (Student's t); training again would add
  more. {ABSENT} stands for what does not apply, or cannot be measured with so few digits.
- **What measured.** The classifier has SHA-256 `{report.classifier["sha256"]}` and reads
  {100 * report.classifier["accuracy"]:.2f} % of the test digits rightly. The training images have SHA-256
  `{report.data_sha256}`. Libraries: {libraries}."""


def _tables(report: Report) -> Iterator[str]:
    for title, keys in GROUPS.items():
        yield f"## {title}\n\n{_markdown_table(_rows((*report.models, *report.references), keys))}"
    yield from _notes(report)


def _class_tables(report: Report) -> Iterator[str]:
    everything = (*report.models, *report.references)
    shares = [[row.name, *_means(row.class_shares, 100, "{:.1f}")] for row in everything]
    yield "## The share of each digit in %, as the classifier reads it\n\n" + _markdown_table(
        [_class_header(), *shares]
    )
    ratios = [[row.name, *_means(row.class_ratios, 1, "{:.2f}")] for row in everything if row.class_ratios]
    if ratios:
        yield "## The Fréchet ratio within each class\n\n" + _markdown_table([_class_header(), *ratios])


def _confusions(report: Report) -> Iterator[str]:
    for scores in report.models:
        if scores.confusion:
            counts = [[f"asked for {asked}", *map(str, row)] for asked, row in enumerate(scores.confusion)]
            yield f"## {scores.name}: digits asked for, and as the classifier reads them\n\n" + _markdown_table(
                [["", *(f"read {digit}" for digit in range(10))], *counts]
            )


def _picture_sections(pictures: Pictures) -> Iterator[str]:
    for title, paths in pictures.items():
        links = [f"![{title}: {PICTURES.get(key, key)}]({quote(path)})" for key, path in paths.items()]
        yield "\n\n".join([f"## Pictures: {title}", *links])


def _definition(key: str) -> str:
    figure = FIGURES[key]
    source = f" Source: {figure.source}." if figure.source else ""
    title = f" ({figure.title})" if figure.title != figure.name else ""
    return f"- **{figure.name}**{title}; {DIRECTIONS[figure.better]}. {figure.meaning}{source}"


def _notes(report: Report) -> list[str]:
    """One paragraph with every note and the rows that it is about, or nothing."""
    notes: dict[str, list[str]] = {}
    for row in (*report.models, *report.references):
        if row.note:
            notes.setdefault(row.note, []).append(row.name)
    return ["; ".join(f"{', '.join(names)}: {note}" for note, names in notes.items()) + "."] if notes else []


def _rows(rows: Sequence[Scores], keys: Sequence[str]) -> Rows:
    header = ["", *(f"{FIGURES[key].title} {ARROWS[FIGURES[key].better]}" for key in keys)]
    return [header, *([row.name, *_cells(row, keys)] for row in rows)]


def _cells(scores: Scores, keys: Sequence[str]) -> list[str]:
    known = scores.figures
    return [known[key].text(FIGURES[key].decimals) if key in known else ABSENT for key in keys]


def _class_header() -> list[str]:
    return ["", *map(str, range(10))]


def _means(estimates: Sequence[Estimate] | None, unit: float, form: str) -> list[str]:
    return [form.format(unit * estimate.mean) if estimate.known else ABSENT for estimate in estimates or ()]


def _aligned(rows: Rows) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _markdown_table(rows: Rows) -> str:
    header, *body = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *body))
