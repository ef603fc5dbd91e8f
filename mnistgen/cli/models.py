"""mnistgen models, info: model cards."""

import json
import sys
from typing import Annotated, Any

import typer

import mnistgen
from mnistgen import DEFAULT_MODEL
from mnistgen.cli import app, say
from mnistgen.cli.options import NamedModel

SUMMARY = ("name", "summary", "classes", "latent_dim", "parameters", "licence")
FIGURES = ("ratio", "label_accuracy", "accuracy_score", "nearest_ratio")
BASELINES = ("real_digits", "float32")  # keys of a figure's baselines


@app.command("models", epilog="Example: mnistgen models --json")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False) -> None:
    """List the bundled models."""
    cards = mnistgen.models()
    if as_json:
        print(json.dumps({name: card.to_dict() for name, card in cards.items()}, indent=2))
        return
    width = max(map(len, cards))
    for name, card in cards.items():
        default = " (default)" if name == DEFAULT_MODEL else ""
        say(f"{name:{width}}  {card.parameters / 1e6:.1f} M parameters  {card.summary}{default}")


@app.command(epilog="Examples: mnistgen info dcgan; mnistgen info --json")
def info(
    model: NamedModel = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
) -> None:
    """Print a model card: properties of the model and its measured quality."""
    card = mnistgen.card(model).to_dict()
    if as_json:
        print(json.dumps(card, indent=2))
        return
    measured = (card["quality"] or {}).get("figures", {})
    figures = {name: _figure(measured[name]) for name in FIGURES if name in measured}
    rows = {name: _text(card[name]) for name in SUMMARY} | (figures or {"quality": "not measured"})
    width = max(map(len, rows))
    for name, text in rows.items():
        say(f"{name:{width}}  {text}")


def _text(value: Any, digits: int = 4) -> str:
    """Format a value of a card."""
    if isinstance(value, list | None):
        return ", ".join(value or ["none"])
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _figure(measured: dict[str, Any]) -> str:
    """Format a figure with its confidence interval and its baselines."""
    sign = "±" if (sys.stdout.encoding or "").lower().startswith("utf") else "+-"
    interval = "" if measured["interval"] is None else f" {sign} {_text(measured['interval'], 2)}"
    baselines = [f"{name.replace('_', ' ')}: {_text(measured[name])}" for name in BASELINES if name in measured]
    comparison = f"  ({', '.join(baselines)})" if baselines else ""
    return f"{_text(measured['mean'])}{interval}{comparison}"
