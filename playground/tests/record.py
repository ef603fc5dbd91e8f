"""Record what mnistgen generates, for digits.test.ts: python playground/tests/record.py. Deterministic."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import mnistgen
from mnistgen._latents import draw
from mnistgen._walks import spherical
from mnistgen.cli.pictures import sample
from mnistgen.photos.normalise import normalised

RECORDED = Path(__file__).with_name("recorded")
PAIRS, BLOCK = 10_000, 100  # of seed and index; pairs per checksum
EDGES = [0, 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]
RANGE: dict[str, Any] = {"n": 10_000, "seed": 2**64 - 1, "start": 2**63 - 10_000}
PIXELS: dict[str, Any] = {"n": 1_000, "seed": 2026, "start": 2**62 + 12_345}
EDITED: dict[str, Any] = {"n": 200, "seed": 7, "start": 2**40, "thickness": 3.4, "slant": (-0.2, 0.4)}
ENCODED: dict[str, Any] = {"n": 50, "seed": 3, "start": 1_000}
DRAWINGS, SIDE = 20, 168  # number, and pixels
OVERSAMPLING = 4  # of strokes, for grey edges


def main() -> None:
    """Write all files."""
    RECORDED.mkdir(exist_ok=True)
    generator = mnistgen.Generator(device="cpu", threads=1)
    latent_dim = generator.card.latent_dim
    facts = {
        "pairs": _pairs(latent_dim),
        "range": _exact(RANGE) | {"sha256": _sha256(*draw(RANGE["seed"], RANGE["start"], RANGE["n"], latent_dim))},
        "pixels": _exact(PIXELS) | {"labels": _images("pixels", generator, PIXELS)},
        "edited": _exact(EDITED) | {"labels": _images("edited", generator, EDITED)},
        "encoded": _exact(ENCODED) | {"labels": _images("encoded", generator, ENCODED)},
        "measured": _measured(generator),
        "read": _encoded(generator),
        "spherical": _spherical(latent_dim),
        "drawings": {"n": DRAWINGS, "side": SIDE},
    }
    _drawings(generator)
    sample(str(RECORDED / "sample.npz"), n=64, seed=1, device="cpu", threads=1)
    text = json.dumps(facts, separators=(",", ":"))
    (RECORDED / "facts.json").write_text(text + "\n", "utf-8")


def _exact(request: dict[str, Any]) -> dict[str, Any]:
    """With seed and start as text: JavaScript reads numbers as doubles."""
    return request | {name: str(request[name]) for name in ("seed", "start")}


def _pairs(latent_dim: int) -> dict[str, Any]:
    """Labels, and SHA-256 of the latents in each block, of pairs over the whole ranges of seeds and indices."""
    edges = [(seed, index) for seed in EDGES for index in EDGES if index < 2**63]
    pairs = edges + [(_number("seed", k), _number("index", k) >> 1) for k in range(PAIRS - len(edges))]
    drawn = [draw(seed, index, 1, latent_dim) for seed, index in pairs]
    latents = np.concatenate([latents for latents, _ in drawn])
    return {
        "n": PAIRS,
        "edges": [[str(number) for number in pair] for pair in edges],
        "labels": "".join(str(label) for _, (label,) in drawn),
        "block": BLOCK,
        "sha256": [_sha256(latents[first : first + BLOCK]) for first in range(0, PAIRS, BLOCK)],
    }


def _number(name: str, k: int) -> int:
    """A number from 0 to 2**64 - 1 that is easily reproduced in other languages."""
    return int.from_bytes(hashlib.sha256(f"{name} {k}".encode()).digest()[:8], "big")


def _images(name: str, generator: mnistgen.Generator, request: dict[str, Any]) -> str:
    """Write images and return their labels."""
    images, labels = generator.sample_labelled(**request)
    _write(name, images)
    return "".join(map(str, labels))


def _measured(generator: mnistgen.Generator) -> dict[str, list[float]]:
    attributes = mnistgen.measure(generator.sample(**EDITED))._asdict()
    return {name: [round(float(value), 5) for value in values] for name, values in attributes.items()}


def _encoded(generator: mnistgen.Generator) -> str:
    latents, labels = generator.encode(generator.sample(**ENCODED))
    _write("latents", latents)
    return "".join(map(str, labels))


def _spherical(latent_dim: int) -> list[list[float]]:
    """Latents from the first to the second latents of seed 1."""
    (first, last), _ = draw(1, 0, 2, latent_dim)
    between = [spherical(first, last, np.array(share)) for share in np.linspace(0, 1, 9)]
    return [[round(float(value), 6) for value in latents] for latents in between]


def _drawings(generator: mnistgen.Generator) -> None:
    """Write drawings and what they become: digits of several sizes, pen strokes from thin to thick, a full square."""
    digits = generator.sample(DRAWINGS // 2, seed=11)
    drawings = [_placed(image, 40 + 13 * k, 2 * k, SIDE - 41 - 14 * k) for k, image in enumerate(digits)]
    drawings += [_strokes(k, pen) for k, pen in enumerate(np.geomspace(1, 30, DRAWINGS - len(drawings) - 1))]
    drawings.append(np.full((SIDE, SIDE), 255, np.uint8))
    _write("drawings", np.stack(drawings))
    _write("normalised", np.stack([normalised(drawing / np.float32(drawing.max())) for drawing in drawings]))


def _placed(image: NDArray[np.uint8], size: int, left: int, top: int) -> NDArray[np.uint8]:
    canvas = Image.new("L", (SIDE, SIDE))
    canvas.paste(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC), (left, max(0, top)))
    return np.asarray(canvas)


def _strokes(k: int, pen: float) -> NDArray[np.uint8]:
    """A line through four points, drawn with a pen of this width."""
    points = [(_number("x", 10 * k + i) % 130 + 20, _number("y", 10 * k + i) % 130 + 20) for i in range(4)]
    canvas = Image.new("L", (SIDE * OVERSAMPLING,) * 2)
    line = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]
    ImageDraw.Draw(canvas).line(line, fill=255, width=round(pen * OVERSAMPLING), joint="curve")
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX))


def _sha256(*arrays: NDArray[Any]) -> str:
    """SHA-256 of latents (N, D), and of labels (N,) as bytes."""
    kinds = {np.dtype(np.float32): "<f4", np.dtype(np.int64): "u1"}
    return hashlib.sha256(b"".join(array.astype(kinds[array.dtype]).tobytes() for array in arrays)).hexdigest()


def _write(name: str, array: NDArray[Any]) -> None:
    """Write an array's bytes, little-endian, compressed."""
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    (RECORDED / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    main()
