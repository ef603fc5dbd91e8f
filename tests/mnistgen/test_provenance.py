"""What made a picture: into every file format and back, and no nonsense taken for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mnistgen
from mnistgen._animation import ANIMATIONS, write_animation
from mnistgen._drawing import Provenance
from mnistgen._formats import write_picture
from mnistgen._picture_files import open_picture, read_fields
from mnistgen._reproduce import from_fields
from mnistgen.drawings import DigitGrid, Drawing, Interpolation, Number, Walk

digits = st.integers(0, 9)
common: dict[str, Any] = {"seed": st.integers(0, 2**64 - 1), "scale": st.integers(1, 9)}
drawings = st.one_of(
    st.builds(
        DigitGrid,
        n=st.integers(1, 2**62),
        start=st.integers(0, 2**62),
        digit=st.none() | st.lists(digits, min_size=1),
        truncation=st.floats(0, 1),
        columns=st.none() | st.integers(1, 99),
        **common,
    ),
    st.builds(Number, text=st.text("0123456789 ", max_size=20).map("7".__add__), truncation=st.floats(0, 1), **common),
    st.builds(
        Interpolation,
        first=st.none() | digits,
        last=st.none() | digits,
        frames=st.integers(2, 2**62),
        fps=st.floats(1, 100),
        **common,
    ),
    st.builds(
        Walk,
        corners=st.none() | st.lists(digits, min_size=4, max_size=4),
        rows=st.integers(2, 99),
        columns=st.integers(2, 99),
        **common,
    ),
)
provenances = st.builds(
    Provenance,
    drawing=drawings,
    model=st.text(st.characters(codec=None), min_size=1),  # lone surrogates and line ends too
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    version=st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}(rc1|\.dev1\+local)?", fullmatch=True),
)
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
ENDINGS = [".png", *ANIMATIONS]


def write(path: Path, fields: dict[str, str]) -> None:
    if path.suffix == ".png":
        write_picture(path, FRAMES[0], fields)
    else:
        write_animation(path, FRAMES, text=fields)


def read(path: Path) -> dict[str, str]:
    with open_picture(path.read_bytes()) as picture:
        return dict(read_fields(picture))


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=provenances)
def test_a_round_trip_through_every_format(ending: str, tmp_path: Path, made: Provenance) -> None:
    path = tmp_path / f"picture{ending}"
    write(path, made.fields())
    found = read(path)
    assert found == made.fields()
    assert from_fields(found) == made


@pytest.mark.parametrize("ending", ENDINGS)
def test_pictures_without_text_carry_none(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{ending}"
    write(path, {})
    assert read(path) == {}


def grid(**arguments: Any) -> Drawing:
    plain = {"n": 4, "start": 0, "digit": None, "truncation": 1.0, "columns": None, "seed": 1, "scale": 1}
    return DigitGrid(**plain | arguments)


def test_fields_that_people_read() -> None:
    fields = Provenance(drawing=grid(start=7), model="small", sha256="0" * 64, version="1.2").fields()
    shown = {"Software": "mnistgen 1.2", "model": "small", "sha256": "0" * 64, "seed": "1", "index": "7"}
    assert {name: fields[name] for name in shown} == shown
    assert "\n" not in "".join(fields.values())


def content(**changes: Any) -> dict[str, Any]:
    whole = json.loads(Provenance(drawing=grid(), model="small", sha256="0" * 64, version="1").fields()["mnistgen"])
    return {name: value for name, value in (whole | changes).items() if value != "absent"}


EXPECTED = "mnistgen: expected JSON with the arguments of one of sample, dataset, write, interpolate, walk"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("nonsense", f"{EXPECTED}, got 'nonsense'"),
        ("[" * 100_000, f"{EXPECTED}, got '[[["),
        ("[1]", f"{EXPECTED}, got '[1]'"),
        ("{}", f"{EXPECTED}, got '{{}}'"),
        (" " * (2**20 + 1), "mnistgen: expected at most 1,048,576 characters, got 1,048,577"),
        (content(mnistgen=1), EXPECTED),
        (content(command="rm"), EXPECTED),
        (content(command=["sample"]), EXPECTED),
        (content(model=None), EXPECTED),
        (content(sha256={}), EXPECTED),
        (content(n="absent"), "sample: expected columns, digit, height, n, scale"),
        (content(more=1), "got columns, digit, height, more, n"),
        (content(n=0), "n: expected a whole number, 1 or more, got 0"),
        (content(n="4"), "n: expected a whole number"),
        (content(n=4.0), "n: expected a whole number"),
        (content(n=True), "n: expected a whole number"),
        (content(n=10**4000), "n: expected a whole number, at most"),
        (content(seed=None), "seed: expected a whole number"),
        (content(seed=2**64), "seed: expected a whole number, at most"),
        (content(start=2**63), "start: expected a whole number, at most"),
        (content(scale=0), "scale: expected a whole number, 1 or more, got 0"),
        (content(scale="2"), "scale: expected a whole number, 1 or more, got '2'"),
        (content(scale=10**4299), "scale: expected a whole number, at most 67108864"),
        (content(columns=1.5), "columns: expected a whole number, 1 or more, got 1.5"),
    ],
)
def test_nonsense_is_refused(found: str | dict[str, Any], message: str) -> None:
    text = found if isinstance(found, str) else json.dumps(found)
    with pytest.raises(mnistgen.InputError) as error:
        from_fields({"mnistgen": text})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("drawing", "change", "message"),
    [
        (Number, {"text": ["7"]}, "text: expected digits and spaces, got ['7']"),
        (Number, {"text": "seven"}, "text: expected digits and spaces, got 's'"),
        (Interpolation, {"frames": 1}, "frames: expected a whole number, 2 or more, got 1"),
        (Interpolation, {"fps": "20"}, "fps: expected 1 to 100 frames per second, got '20'"),
        (Interpolation, {"fps": float("nan")}, "fps: expected 1 to 100 frames per second, got nan"),
        (Walk, {"rows": None}, "rows: expected a whole number"),
        (Walk, {"columns": 1}, "columns: expected a whole number, 2 or more, got 1"),
    ],
)
def test_drawings_refuse_what_leaves_their_size_open(
    drawing: type[Drawing], change: dict[str, Any], message: str
) -> None:
    plain: dict[type[Drawing], dict[str, Any]] = {
        Number: {"text": "7", "truncation": 1.0},
        Interpolation: {"first": 1, "last": 2, "frames": 2, "fps": 20.0},
        Walk: {"corners": None, "rows": 2, "columns": 2},
    }
    with pytest.raises(mnistgen.InputError) as error:
        drawing(seed=1, scale=1, **plain[drawing] | change)
    assert message in str(error.value)
