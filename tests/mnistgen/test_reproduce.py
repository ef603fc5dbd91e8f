"""Pictures drawn again from their own text fields."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto
from PIL import Image, ImageSequence

import mnistgen
from mnistgen._animation import write_animation
from mnistgen._arrays import UInt8
from mnistgen._drawing import Provenance
from mnistgen._formats import write_picture
from mnistgen._picture_files import open_picture, read_fields
from mnistgen._reproduce import REPRODUCERS, difference, from_fields, reproduce
from mnistgen.drawings import DigitGrid, Drawing, Interpolation
from tests.conftest import RunCli, assert_refused, write_model

COMMANDS = {
    "a grid": ("sample", "--n", 7, "--columns", 3, "--digit", "2,0", "--truncation", 0.5, "--start", 5),
    "the default grid": ("sample",),
    "a number": ("write", "20 26", "--truncation", 0.7),
    "between two digits": ("interpolate", "--from", 3, "--to", 8, "--frames", 6, "--fps", 30, "--scale", 2),
    "between four digits": ("walk", "--corners", "3,5,8,9", "--rows", 3, "--columns", 4),
}
CASES = [
    (name, ending)
    for name, (command, *_) in COMMANDS.items()
    for ending in ([".gif", ".apng", ".webp"] if command == "interpolate" else [".png"])
]


@pytest.fixture
def grid(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "grid.png"
    assert run_cli("sample", "--model", conditional_model, "--n", 4, "--seed", 1, "--out", path).code == 0
    return path


def repainted(path: Path, change: Callable[[UInt8], None], **changes: Any) -> None:
    """Change a picture's pixels, and what its field says, as an honest program or a hostile one would."""
    fields, (picture,) = stored(path)
    change(picture)
    content = json.loads(fields["mnistgen"]) | changes
    write_picture(path, picture, {**fields, "mnistgen": json.dumps(content)})


def stored(path: Path) -> tuple[dict[str, str], UInt8]:
    """A picture's text fields and frames (N, H, W)."""
    with open_picture(path.read_bytes()) as picture:
        fields = dict(read_fields(picture))
        return fields, np.stack([np.array(frame.convert("L")) for frame in ImageSequence.Iterator(picture)])


def nothing(picture: UInt8) -> None:
    """No pixel changes."""


@pytest.mark.parametrize(("name", "ending"), CASES)
def test_every_picture_of_every_command(
    run_cli: RunCli, conditional_model: Path, tmp_path: Path, name: str, ending: str
) -> None:
    first, second, again = (tmp_path / f"{stem}{ending}" for stem in ("first", "second", "again"))
    for path in (first, second):
        assert run_cli(*COMMANDS[name], "--model", conditional_model, "--seed", 5, "--out", path).code == 0
    assert first.read_bytes() == second.read_bytes()
    outcome = run_cli("reproduce", first, "--model", conditional_model, "--out", again)
    assert (outcome.code, outcome.err) == (0, "")
    assert ", seed 5, index " in outcome.out
    assert outcome.out.endswith(f": every pixel is equal; written to {again}\n")
    assert again.read_bytes() == first.read_bytes()


def test_a_bundled_model_is_found_by_its_name(run_cli: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    run_cli("sample", "--n", 2, "--seed", 1, "--start", 3, "--out", path)
    outcome = run_cli("reproduce", path)
    assert outcome.out == f"{path}: reproduced by sample from digits, seed 1, index 3: every pixel is equal\n"
    assert list(tmp_path.iterdir()) == [path]


def test_start_slices_a_seed(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    outcome = run_cli("sample", "--model", conditional_model, "--n", 3, "--seed", 1, "--start", 40, "--out", path)
    assert outcome.out == f"{path}: 3 digits from small, seed 1, start 40\n"
    generator = mnistgen.Generator(conditional_model)
    with np.load(path) as arrays:
        assert (arrays["images"] == generator.sample(43, seed=1)[40:]).all()
        assert (str(arrays["sha256"]), int(arrays["start"])) == (generator.card.sha256, 40)


def test_unconditional_models(run_cli: RunCli, unconditional_model: Path, tmp_path: Path) -> None:
    for command, name in (("sample", "a.png"), ("interpolate", "a.gif"), ("walk", "b.png")):
        assert run_cli(command, "--model", unconditional_model, "--out", tmp_path / name).code == 0
        assert run_cli("reproduce", tmp_path / name, "--model", unconditional_model).code == 0


@pytest.mark.parametrize("ending", [".gif", ".apng", ".webp"])
@pytest.mark.parametrize("fps", [20, 60, 99])
def test_frames_that_are_alike_and_stored_as_one(tmp_path: Path, ending: str, fps: int) -> None:
    runs = [1, 7, 2, 13]  # 7 times 17 ms are 119, of which a GIF keeps 110
    drawing = Interpolation(first=None, last=None, frames=sum(runs), fps=fps, seed=1, scale=1)
    frames = np.zeros((sum(runs), 28, 28), np.uint8)
    frames += np.repeat(np.arange(4, dtype=np.uint8) * 80, runs)[:, None, None]
    drawing.write(tmp_path / f"walk{ending}", frames, {})
    with open_picture((tmp_path / f"walk{ending}").read_bytes()) as picture:
        assert picture.n_frames == 4  # type: ignore[attr-defined]
        assert difference(picture, drawing, frames) == (0, 0)
        frames[7] += 1
        assert difference(picture, drawing, frames) == (784, 1)


def test_a_picture_saved_by_another_program(run_cli: RunCli, conditional_model: Path, grid: Path) -> None:
    fields, _ = stored(grid)
    with Image.open(grid) as picture:
        picture.convert("RGB").save(grid, pnginfo=_chunks(fields))
    assert run_cli("reproduce", grid, "--model", conditional_model).out.endswith("every pixel is equal\n")


def _chunks(fields: Any) -> Any:
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for name, value in fields.items():
        chunks.add_text(name, value)
    return chunks


def test_within_a_grey_level_it_is_the_same_digits(run_cli: RunCli, conditional_model: Path, grid: Path) -> None:
    def nudge(picture: UInt8) -> None:
        picture[0, :3] += 1

    repainted(grid, nudge)
    outcome = run_cli("reproduce", grid, "--model", conditional_model)
    assert (outcome.code, outcome.err) == (0, "")
    assert "the same digits; 3 pixels of 16,384 differ by 1 grey level" in outcome.out


@pytest.mark.parametrize("version", ["0.1.0", "9.9"])
def test_a_changed_pixel(run_cli: RunCli, conditional_model: Path, grid: Path, version: str) -> None:
    def blot(picture: UInt8) -> None:
        picture[0, 0] = 200

    before, again = grid.read_bytes(), grid.with_name("again.png")
    repainted(grid, blot, mnistgen=version)
    outcome = run_cli("reproduce", grid, "--model", conditional_model, "--out", again)
    assert_refused(outcome, 1, "1 pixel of 16,384 differ", "by up to 200 grey levels", "the picture was modified")
    assert ("mnistgen 9.9 wrote it, this is" in outcome.err) == (version == "9.9")
    assert again.read_bytes() == before


def test_a_changed_frame(run_cli: RunCli, conditional_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "walk.webp"
    between = ("--from", 3, "--to", 8, "--frames", 3, "--scale", 1)
    run_cli("interpolate", "--model", conditional_model, *between, "--out", path)
    fields, frames = stored(path)
    frames[2, 5, 5] ^= 128
    write_animation(path, frames, 20, 1, fields)
    outcome = run_cli("reproduce", path, "--model", conditional_model)
    assert_refused(outcome, 1, "1 pixel of 2,352 differ", "by up to 128 grey levels")
    for kept, came in (([0, 1], "got 2; the picture was modified"), ([0, 1, 2, 1, 2], "got 4 or more; the picture")):
        write_animation(path, frames[kept], 20, 1, fields)
        outcome = run_cli("reproduce", path, "--model", conditional_model)
        assert_refused(outcome, 2, "frames: expected 3 by its text fields", came)


def test_another_model(run_cli: RunCli, conditional_model: Path, grid: Path, tmp_path: Path) -> None:
    def brighter(model: ModelProto) -> None:
        model.doc_string = "other bytes"

    other = write_model(tmp_path / "other", edit=brighter)
    sums = [mnistgen.Generator(model).card.sha256 for model in (conditional_model, other)]
    again = tmp_path / "again.png"
    outcome = run_cli("reproduce", grid, "--model", other, "--out", again)
    assert_refused(outcome, 1, f"the model with SHA-256 {sums[0]}, got {other} with {sums[1]}", "with --model PATH")
    outcome = run_cli("reproduce", grid, "--out", again)
    assert_refused(outcome, 1, "generated by model 'small', which is not bundled; give its directory with --model PATH")
    repainted(grid, nothing, model="mlp", mnistgen="9.9")
    outcome = run_cli("reproduce", grid, "--out", again)
    assert_refused(outcome, 1, "got mlp with", "install mnistgen 9.9, which wrote it, or give the directory")
    assert not again.exists()


def test_a_recorded_name_is_never_a_path(run_cli: RunCli, conditional_model: Path, grid: Path) -> None:
    repainted(grid, nothing, model=str(conditional_model))
    assert_refused(run_cli("reproduce", grid), 1, f"model {str(conditional_model)!r}, which is not bundled")


STRANGE = "\x1b[2J\n\u202e" * 200


@pytest.mark.parametrize(
    "changes",
    [
        {"mnistgen": STRANGE, "model": "mlp"},
        {"sha256": STRANGE, "model": "mlp"},
        {"model": STRANGE},
        {"command": STRANGE},
        {"truncation": STRANGE},
        {STRANGE: 1},
    ],
)
def test_what_strangers_write_reaches_the_terminal_as_text(
    run_cli: RunCli, grid: Path, changes: dict[str, object]
) -> None:
    repainted(grid, nothing, **changes)
    outcome = run_cli("reproduce", grid)
    assert_refused(outcome, outcome.code, f"{grid}: ")
    assert outcome.err[:-1].isprintable()
    assert len(outcome.err) < len(str(grid)) + 600


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 9}, ["expected 192 x 192 pixels by its text fields, got 128 x 128; the picture was modified"]),
        ({"n": 2**62}, ["expected at most 67,108,864 pixels in total, got"]),
        ({"n": 2**62, "columns": 2}, ["expected at most 67,108,864 pixels in total, got"]),
        ({"scale": 1000}, ["expected at most 67,108,864 pixels in total, got 4,096,000,000"]),
        ({"digit": 12}, ["digit: expected a whole number, 0 to 9, got 12"]),
        ({"digit": {"a": 1}}, ["digit: expected a whole number, 0 to 9"]),
        ({"digit": "7"}, ["digit: expected a whole number, 0 to 9"]),
        ({"truncation": 2}, ["truncation: expected a number from 0 to 1"]),
        ({"truncation": float("nan")}, ["truncation: expected a number from 0 to 1"]),
        ({"truncation": "x" * 10_000}, ["truncation: expected a number from 0 to 1", "…"]),
        ({"command": "walk"}, ["walk: expected columns, corners, rows"]),
    ],
)
def test_hostile_fields(
    run_cli: RunCli, conditional_model: Path, grid: Path, changes: dict[str, Any], words: list[str]
) -> None:
    repainted(grid, nothing, **changes)
    outcome = run_cli("reproduce", grid, "--model", conditional_model, "--out", grid.with_name("again.png"))
    assert_refused(outcome, 2, f"{grid}: ", *words)
    assert len(outcome.err) < 1000
    assert list(grid.parent.iterdir()) == [grid]


def test_few_frames_that_pretend_to_be_many(conditional_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.webp"
    drawing = Interpolation(first=3, last=3, frames=2**17, fps=100.0, seed=1, scale=2)
    made = Provenance.of(drawing, mnistgen.Generator(conditional_model).card)
    frame = Image.new("L", (56, 56))
    changed = Image.new("L", (56, 56), 255)
    text = "\n".join(f"{name}: {value}" for name, value in made.fields().items())
    exif = Image.Exif()
    exif[0x010E] = text
    frame.save(path, save_all=True, append_images=[changed], lossless=True, duration=[2**16 * 10] * 2, exif=exif)
    with pytest.raises(mnistgen.InputError, match="expected at most 67,108,864 pixels in total, got 411,041,792"):
        reproduce(path, model=str(conditional_model))


@pytest.mark.parametrize("corners", [5, "3589", [1, 2], {"1": 2}, [1, 2, 3, 12]])
def test_hostile_corners(run_cli: RunCli, conditional_model: Path, tmp_path: Path, corners: object) -> None:
    path = tmp_path / "walk.png"
    run_cli("walk", "--corners", "3,5,8,9", "--model", conditional_model, "--out", path)
    repainted(path, nothing, corners=corners)
    assert_refused(run_cli("reproduce", path, "--model", conditional_model), 2, "expected")


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("absent.png", None, "cannot be read (No such file or directory)"),
            ("text.png", b"text", "expected a PNG, GIF or WebP picture, got another or a damaged file"),
            ("empty.gif", b"", "expected a PNG, GIF or WebP picture"),
            ("grid.jpg", b"", "expected a name ending in .png, .gif, .apng, .webp, .json, got '.jpg'"),
            ("grid", b"", "got 'no ending'"),
        ],
    )
    def test_no_pictures(self, run_cli: RunCli, tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert_refused(run_cli("reproduce", tmp_path / name), 2, f"{tmp_path / name}: ", words)

    def test_a_folder(self, run_cli: RunCli, tmp_path: Path) -> None:
        (tmp_path / "grid.png").mkdir()
        assert_refused(run_cli("reproduce", tmp_path / "grid.png"), 2, "cannot be read (a folder)")

    def test_a_picture_of_another_program(self, run_cli: RunCli, tmp_path: Path) -> None:
        path = tmp_path / "foreign.gif"
        Image.new("L", (28, 28)).save(path, comment=b"made: by hand\xff")
        assert_refused(run_cli("reproduce", path), 2, "expected text fields of mnistgen, got none")

    def test_damage_is_one_line_wherever_it_strikes(
        self, conditional_model: Path, grid: Path, run_cli: RunCli, tmp_path: Path
    ) -> None:
        walk = tmp_path / "walk.gif"
        between = ("--from", 3, "--to", 8, "--frames", 2, "--scale", 1)
        run_cli("interpolate", "--model", conditional_model, *between, "--out", walk)
        chance = np.random.default_rng(0)
        for path in (grid, walk):
            whole = path.read_bytes()
            for length in (20, len(whole) // 2, len(whole) - 40):
                path.write_bytes(whole[:length])
                with pytest.raises(mnistgen.InputError, match=str(path)):
                    reproduce(path, model=str(conditional_model))
            for position in chance.integers(0, len(whole), 40):
                path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
                try:
                    line = reproduce(path, model=str(conditional_model)).message
                except mnistgen.MnistgenError as error:
                    line = str(error)
                assert line.isprintable()

    def test_out_has_an_ending_that_fits_before_anything_is_drawn(
        self, run_cli: RunCli, conditional_model: Path, grid: Path
    ) -> None:
        outcome = run_cli("reproduce", grid, "--model", conditional_model, "--out", grid.with_name("a.gif"))
        assert_refused(outcome, 2, "a.gif: expected a name ending in .png, got '.gif'")

    def test_a_full_round_over_the_picture_itself(self, run_cli: RunCli, conditional_model: Path, grid: Path) -> None:
        before = grid.read_bytes()
        assert run_cli("reproduce", grid, "--model", conditional_model, "--out", grid).code == 0
        assert grid.read_bytes() == before


def test_what_a_picture_says_is_what_was_asked(grid: Path) -> None:
    drawing = from_fields(stored(grid)[0]).drawing
    assert drawing == DigitGrid(n=4, start=0, digit=None, truncation=1.0, columns=None, seed=1, scale=2)
    assert drawing.size == (1, 128, 128)


def test_every_picture_has_a_reproducer() -> None:
    assert list(REPRODUCERS) == [".png", ".gif", ".apng", ".webp", ".json"]


@pytest.mark.parametrize(
    ("drawing", "name"),
    [
        (mnistgen.drawings.DigitGrid(n=np.int64(4), digit=np.array([3, 5]), seed=1, columns=2), "a.png"),  # type: ignore[arg-type]
        (mnistgen.drawings.Number(text="20 26", seed=1, scale=2), "a.png"),
        (mnistgen.drawings.Interpolation(first=3, last=8, frames=4), "a.gif"),
        (mnistgen.drawings.Walk(corners=np.array([3, 5, 8, 9]), rows=2, columns=2, seed=1), "a.png"),  # type: ignore[arg-type]
    ],
)
def test_drawings_from_python(conditional_model: Path, tmp_path: Path, drawing: Drawing, name: str) -> None:
    generator = mnistgen.Generator(conditional_model)
    drawing.save(tmp_path / name, generator)
    same, message = mnistgen.reproduce(str(tmp_path / name), model=conditional_model)
    assert same
    assert f"reproduced by {drawing.command} from small, seed {drawing.seed}, index 0: every pixel is equal" in message


def test_an_untrusted_model_in_python(conditional_model: Path) -> None:
    findings = mnistgen.doctor(conditional_model)
    assert not findings.wrong
    assert [finding.name for finding in findings] == ["card", "opens", "draws"]
    assert str(findings).endswith("\n\nnothing wrong")
