"""mnistgen models, info: what is known of models."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mnistgen.catalog import DEFAULT_MODEL, find, models
from mnistgen.cli.app import app
from mnistgen.cli.options import NamedModel

FIGURE = {"mean", "interval"}  # what a measured figure has, and no other part of a card


@app.command("models", epilog="Example: mnistgen models --json")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False) -> None:
    """List the bundled models."""
    cards = models()
    if as_json:
        print(json.dumps({name: card.to_dict() for name, card in cards.items()}, indent=2))
        return
    width = max(map(len, cards), default=0)
    for name, card in cards.items():
        default = " (default)" if name == DEFAULT_MODEL else ""
        print(f"{name:{width}}  {card.parameters / 1e6:.1f} M parameters  {card.summary}{default}")


@app.command(epilog="Example: mnistgen info dcgan")
def info(
    model: NamedModel = DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Show what is known of a model: its card."""
    card = find(model).card.to_dict()
    if as_json:
        print(json.dumps(card, indent=2))
        return
    for line in _lines(card | {"quality": card["quality"] or "not measured"}):
        print(line)


def _lines(fields: dict[str, Any], indent: str = "") -> Iterator[str]:
    """A card as aligned lines, what is nested below its name."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if isinstance(value, dict) and not value.keys() >= FIGURE:
            yield f"{indent}{name}"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{name:{width}}  {_text(value)}"


def _text(value: Any) -> str:
    """A value of a card, for people."""
    if value in (None, ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return _figure(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(measured: dict[str, Any]) -> str:
    """A measured figure with its spread, beside those of real digits and of the model before quantisation."""
    spread = "" if measured["interval"] is None else f" ± {measured['interval']:.2g}"
    beside = [
        f"{name.replace('_', ' ')}: {measured[name]:.4g}" for name in ("real_digits", "float32") if name in measured
    ]
    return f"{measured['mean']:.4g}{spread}  ({', '.join(beside)})"
