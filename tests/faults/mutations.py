"""PIECE_EDITS, NODE_EDITS and TEXT_EDITS: random mutations of bytes, JSON trees and JSON texts."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# A piece of a file -> its replacement.
PIECE_EDITS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    lambda source, piece: bytes([piece[0] ^ 1 << source.randrange(8)]) + piece[1:],
    lambda source, piece: bytes([piece[0] ^ 1 << source.randrange(8)]) + piece[1:],
    lambda source, piece: source.randbytes(len(piece)),
    lambda source, piece: bytes(len(piece)),
    lambda source, piece: b"\xff" * len(piece),
    lambda source, piece: b"\x7f" + b"\xff" * (len(piece) - 1),
    lambda source, piece: b"",
    lambda source, piece: piece * 3,
    lambda source, piece: piece + source.randbytes(source.choice((1, 4, 100))),
)
SIZES = (1, 1, 1, 2, 4, 8, 64, 1000, 1 << 30)  # of a piece, up to the end of the file


def changed_bytes(source: random.Random, content: bytes) -> bytes:
    """Apply one or a few edits to bytes."""
    for _ in range(source.choice((1, 1, 1, 2, 4, 16))):
        if content:
            offset, size = source.randrange(len(content)), source.choice(SIZES)
            after = content[offset + size :]
            content = content[:offset] + source.choice(PIECE_EDITS)(source, content[offset : offset + size]) + after
    return content


def damage(source: random.Random, path: Path) -> str:
    """Mutate a file in place or remove it; returns a description."""
    content = path.read_bytes()
    if source.random() < 0.2:
        path.unlink()
        return f"{path.name} removed"
    path.write_bytes(changed_bytes(source, content))
    return f"{path.name} changed" if path.read_bytes() != content else ""


DEEP, LONG = "@deep@", "@long@"  # placeholders for what json.dumps cannot write
# Invalid values for any field.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, 2**64, 10**18, 10**40, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), "", " ", "x", "0", "\x00", "\x1b[31mred\x1b[0m", "a\nb\r\x85c"),
    *("é" * 400, "\ud800", "\u202e", "☃", "x" * 10_000, DEEP, LONG, "../precious.txt", "/etc/passwd"),
    *("data.bin", "C:\\x", ".", "..", "a/../../b", [], [[]], [None], list(range(50)), {}, {"": None}),
    *({"mean": 1}, {"mean": "x", "interval": [1], "float32": None}),
)
Edit = Callable[[random.Random, Any, Any], object]  # edits parent[key], where parent is a dict or a list


def _add(source: random.Random, parent: Any, key: Any) -> None:
    if isinstance(parent, list):
        parent.append(source.choice(ODD))
    else:
        parent[source.choice((f"{key}x", f"../{key}", "", "\x1b[2J", "\ud800", "mean"))] = source.choice(ODD)


def _nudge(source: random.Random, parent: Any, key: Any) -> None:
    if isinstance(value := parent[key], int | float):
        parent[key] = source.choice(
            (value + 1, value - 1, -value, value * 10**9, float(value), str(value), bool(value))
        )


def _swap(source: random.Random, parent: Any, key: Any) -> None:
    other = source.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    parent[key], parent[other] = parent[other], parent[key]


NODE_EDITS: tuple[Edit, ...] = (
    lambda source, parent, key: parent.__setitem__(key, source.choice(ODD)),
    lambda source, parent, key: parent.__setitem__(key, source.choice(ODD)),
    lambda source, parent, key: parent.__setitem__(key, [parent[key]]),
    lambda source, parent, key: parent.__setitem__(key, {"mean": parent[key], "interval": parent[key]}),
    lambda source, parent, key: parent.__setitem__(key, str(parent[key])),
    lambda source, parent, key: parent.pop(key),
    *(_add, _nudge, _nudge, _swap),
)
TEXT_EDITS: tuple[Callable[[str], bytes], ...] = (
    lambda text: b"",
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.encode("utf-16"),
    lambda text: text.replace("a", "ä").encode("latin-1"),
    lambda text: (text + "{}").encode(),
    lambda text: ("[" * 200_000).encode(),
    lambda text: f"[{text}]".encode(),
    lambda text: text.replace("\n", "\r\n").replace('":', '": \x1b[1m', 1).encode(),
    lambda text: (text[:-1] + ', "x": 1}').encode(),
)


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from _nodes(tree[key])


def changed_json(source: random.Random, tree: Any) -> bytes:
    """Apply a few edits to an object and serialise it, sometimes with an edit of the text or its bytes."""
    tree = json.loads(json.dumps(tree))
    for _ in range(source.choice((0, 1, 1, 1, 2, 3))):
        outer = [(tree, key) for key in tree]
        parent, key = source.choice(outer if source.random() < 0.6 else list(_nodes(tree)))
        source.choice(NODE_EDITS)(source, parent, key)
    text = json.dumps(tree, indent=source.choice((None, 2)))
    text = text.replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000).replace(json.dumps(LONG), "9" * 5000)
    content = source.choice(TEXT_EDITS)(text) if source.random() < 0.06 else text.encode()
    return changed_bytes(source, content) if source.random() < 0.2 else content
