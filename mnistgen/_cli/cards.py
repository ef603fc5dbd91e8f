"""mnistgen models, info: model cards."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

import mnistgen
from mnistgen import DEFAULT_MODEL
from mnistgen._cli.app import app
from mnistgen._cli.options import NamedModel
from mnistgen._errors import plain

SUMMARY = ("name", "summary", "conditional", "latent_dim", "parameters", "licence")
FIGURES = ("ratio", "label_accuracy", "accuracy_score", "nearest_ratio")
FIGURE = {"mean", "interval"}  # keys by which a measured figure is recognised
BASELINES = ("real_digits", "float32")  # keys of a figure's baselines


@app.command("models", epilog="Example: mnistgen models --json")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False) -> None:
    """List the bundled models."""
    cards = mnistgen.models()
    if as_json:
        print(json.dumps({name: card.to_dict() for name, card in cards.items()}, indent=2))
        return
    width = max(map(len, cards), default=0)
    for name, card in cards.items():
        default = " (default)" if name == DEFAULT_MODEL else ""
        print(f"{name:{width}}  {card.parameters / 1e6:.1f} M parameters  {plain(card.summary)}{default}")


@app.command(epilog="Examples: mnistgen info dcgan; mnistgen info --all")
def info(
    model: NamedModel = DEFAULT_MODEL,
    everything: Annotated[bool, typer.Option("--all", help="Print the whole card.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Print a model card: properties of the model and its measured quality."""
    card = mnistgen.card(model).to_dict()
    if as_json:
        print(json.dumps(card, indent=2))
        return
    measured = card["quality"] or {}
    figures = measured.get("figures")
    known = {name: figures[name] for name in FIGURES if name in figures} if isinstance(figures, dict) else {}
    summary = {name: card[name] for name in SUMMARY} | (
        known or {"quality": "see --all" if measured else "not measured"}
    )
    for line in _lines(card | {"quality": measured or "not measured"} if everything else summary):
        print(line)


def _lines(fields: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Format a card as aligned lines; nested fields are indented."""
    named = [(plain(name), value) for name, value in fields.items()]
    width = max((len(name) for name, _ in named), default=0)
    for name, value in named:
        if isinstance(value, dict) and not _is_figure(value):
            yield f"{indent}{name}"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{name:{width}}  {plain(_text(value))}"


def _is_figure(part: dict[str, Any]) -> bool:
    return part.keys() >= FIGURE and not any(isinstance(value, dict | list) for value in part.values())


def _text(value: Any, digits: int = 4) -> str:
    """Format a value of a card."""
    if value in (None, ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return _figure(value) if _is_figure(value) else f"{{{', '.join(f'{k}: {_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _figure(measured: dict[str, Any]) -> str:
    """Format a figure with its confidence interval and its baselines."""
    interval = measured["interval"]
    spread = "" if interval is None else f" {_plus_minus()} {_text(interval, 2)}"
    baselines = [f"{name.replace('_', ' ')}: {_text(measured[name])}" for name in BASELINES if name in measured]
    comparison = f"  ({', '.join(baselines)})" if baselines else ""
    return f"{_text(measured['mean'])}{spread}{comparison}"


def _plus_minus() -> str:
    try:
        "±".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return "+-"
    return "±"
