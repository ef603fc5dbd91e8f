"""Mutated pictures, through `mnistgen reproduce`."""

import functools
import io
import json
import random
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image, PngImagePlugin

from tests.conftest import write_model
from tests.faults.mutations import changed_bytes, changed_json
from tests.faults.trials import Outcome, command, command_problem
from tests.faults.worker import reset_peak

DRAWN: Mapping[str, tuple[object, ...]] = {  # file: the command that draws it
    "grid.png": ("sample", "--n", 4, "--digit", "1,2"),
    "number.png": ("write", "20 26", "--scale", 1),
    "walk.png": ("walk", "--corners", "3,5,8,9", "--rows", 2, "--columns", 3, "--scale", 1),
    "way.gif": ("interpolate", "--from", 3, "--to", 8, "--frames", 4, "--scale", 1),
    "way.apng": ("interpolate", "--from", 3, "--to", 8, "--frames", 4, "--scale", 1),
    "way.webp": ("interpolate", "--from", 3, "--to", 8, "--frames", 4, "--scale", 1),
}
FIELD, DESCRIPTION = "mnistgen", 0x010E
ENDLESS = 200_000  # frames
SIDE = 13_000  # pixels, below Pillow's limit for decompression bombs


@functools.cache
def originals() -> Path:
    """A folder with a model and the pictures of DRAWN."""
    folder = Path(tempfile.mkdtemp())
    model = write_model(folder / "model")
    for name, arguments in DRAWN.items():
        drawn = command(*arguments, "--seed", 1, "--model", model, "--out", folder / name)
        assert drawn.code == 0, drawn
    return folder


def trial(source: random.Random, workdir: Path) -> Outcome:
    """Mutate a picture and reproduce it."""
    name = source.choice(list(DRAWN))
    (kind,) = source.choices(list(EDITS), [often for often, _ in EDITS.values()])
    path = workdir / source.choice((name, name, name, f"other{source.choice(('.png', '.gif', '.webp'))}"))
    path.write_bytes(EDITS[kind][1](source, originals() / name))
    reset_peak()
    again = () if source.random() < 0.8 else ("--out", f"again{path.suffix}")
    model = () if source.random() < 0.1 else ("--model", originals() / "model")
    ended = command("reproduce", path, *model, *again, encoding=source.choice(("utf-8", "ascii")))
    problem = command_problem(ended)
    if ended.code and (workdir / f"again{path.suffix}").exists() and again and "grey levels" not in ended.err:
        problem = problem or f"fails and writes, {ended}"
    return Outcome(f"{name}, {kind}", problem)


def _bytes(source: random.Random, path: Path) -> bytes:
    return changed_bytes(source, path.read_bytes())


def _fields(source: random.Random, path: Path) -> bytes:
    """Mutate the JSON in the text field, and keep the pixels."""
    with Image.open(path) as picture:
        fields = _read(picture)
        text = changed_json(source, json.loads(fields[FIELD])).decode(errors="replace").replace("\n", " ")
        return _saved(picture, fields | {FIELD: text})


def _read(picture: Image.Image) -> dict[str, str]:
    if isinstance(picture, PngImagePlugin.PngImageFile):
        return dict(picture.text)
    text = picture.info.get("comment", b"").decode() or picture.getexif().get(DESCRIPTION, "")
    return dict(line.split(": ", 1) for line in text.splitlines())


def _saved(picture: Image.Image, fields: Mapping[str, str]) -> bytes:
    """Encode all frames of a picture in its format, with these text fields."""
    chunks, exif, file = PngImagePlugin.PngInfo(), Image.Exif(), io.BytesIO()
    for name, value in fields.items():
        chunks.add_text(name, value.encode("latin-1", "replace").decode("latin-1"))
    lines = "\n".join(f"{name}: {value}" for name, value in fields.items())
    exif[DESCRIPTION] = lines.encode("ascii", "replace").decode()
    more = {"lossless": True} if picture.format == "WEBP" else {}
    picture.save(
        file,
        picture.format,
        save_all=getattr(picture, "n_frames", 1) > 1,
        pnginfo=chunks,
        comment=lines.encode("ascii", "replace"),
        exif=exif.tobytes() if picture.format == "WEBP" else b"",
        **more,
    )
    return file.getvalue()


def _chunks(source: random.Random, path: Path) -> bytes:
    """Repeat, remove or change chunks of a PNG, with valid checksums."""
    content = path.read_bytes()
    if not content.startswith(b"\x89PNG"):
        return _bytes(source, path)
    chunks, offset = [], 8
    while offset < len(content):
        size = int.from_bytes(content[offset : offset + 4])
        chunks.append((content[offset + 4 : offset + 8], content[offset + 8 : offset + 8 + size]))
        offset += size + 12
    chosen = source.randrange(len(chunks))
    kind, body = chunks[chosen]
    chunks[chosen : chosen + source.choice((0, 1))] = source.choice(
        ([], [(kind, body)] * 3, [(kind, changed_bytes(source, body))], [(source.randbytes(4), body)], [chunks[0]])
    )
    return content[:8] + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def _large(source: random.Random, path: Path) -> bytes:
    """A small file with 169 million pixels and the text fields of another picture, or matching ones."""
    with Image.open(path) as picture:
        fields = _read(picture)
    n = (SIDE // 32) ** 2
    content = json.loads(fields[FIELD]) | source.choice(({}, {"n": n, "scale": 1}, {"rows": 406, "columns": 406}))
    return source.choice((_large_png, _large_webp, _gif))(json.dumps(content))


def _large_png(text: str) -> bytes:
    header = SIDE.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    pixels = zlib.compress(bytes(SIDE // 8 + 1) * SIDE)
    chunks = [(b"IHDR", header), (b"tEXt", f"{FIELD}\0{text}".encode()), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _large_webp(text: str) -> bytes:
    """A WebP with five single-symbol Huffman codes, so that pixels take no bits."""
    exif = Image.Exif()
    exif[DESCRIPTION] = f"{FIELD}: {text}"
    size = (SIDE - 1).to_bytes(3, "little") * 2
    bits = (SIDE - 1) | (SIDE - 1) << 14 | 0x11111 << 35
    chunks = {b"VP8X": bytes([8, 0, 0, 0]) + size, b"VP8L": b"/" + bits.to_bytes(8, "little"), b"EXIF": exif.tobytes()}
    padded = (kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2) for kind, body in chunks.items())
    content = b"WEBP" + b"".join(padded)
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def _gif(text: str, side: int = SIDE, frames: int = 1) -> bytes:
    """A GIF with frames of one pixel."""
    comment = f"{FIELD}: {text}".encode()
    parts = [comment[start : start + 255] for start in range(0, len(comment), 255)]
    carrier = b"!\xfe" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    frame = b"!\xf9\x04\0\x05\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    return b"GIF89a" + side.to_bytes(2, "little") * 2 + b"\x80\0\0\0\0\0\xff\xff\xff" + carrier + frame * frames + b";"


def _long(source: random.Random, path: Path) -> bytes:
    """A GIF with many frames and the text fields of one with four."""
    with Image.open(originals() / "way.gif") as picture:
        return _gif(_read(picture)[FIELD], 28, ENDLESS)


EDITS: Mapping[str, tuple[int, Callable[[random.Random, Path], bytes]]] = {  # relative frequency, function
    "bytes": (40, _bytes),
    "fields": (40, _fields),
    "chunks": (20, _chunks),
    "nothing": (2, lambda source, path: path.read_bytes()),
    "169 million pixels": (1, _large),
    "200,000 frames": (1, _long),
}
