"""Packed programs: a real PyInstaller, and a package in a ZIP archive."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnistgen
from mnistgen import _model

PACKAGE = Path(mnistgen.__file__).parent
PROGRAM = """
import sys
import mnistgen
number = mnistgen.number("7", style=mnistgen.Generator().encode(mnistgen.generate(1, slant=0.1, seed=1)).latents)
mnistgen.save(sys.argv[1], number)
print(len(mnistgen.models()))
"""
# onnxruntime imports them in a function that nobody here calls; they would be packed too where they are installed.
EXCLUDED = ("torch", "tensorflow")


def check(command: list[str], out: Path) -> None:
    """Run a program: it must generate a digit with the model, the attribute editor and the encoder."""
    done = subprocess.run([*command, str(out)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{len(mnistgen.models())}\n")
    style = mnistgen.Generator().encode(mnistgen.generate(1, slant=0.1, seed=1)).latents
    with Image.open(out) as picture:
        assert (np.asarray(picture) == mnistgen.number("7", style=style)).all()


@pytest.mark.skipif(os.name == "nt", reason="names of programs are those of POSIX")
def test_pyinstaller_with_no_options_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("PyInstaller")
    (tmp_path / "program.py").write_text(PROGRAM)
    excluded = [word for name in EXCLUDED for word in ("--exclude-module", name)]
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", *excluded, "program.py"]
    subprocess.run(command, cwd=tmp_path, check=True, env=os.environ | {"PYINSTALLER_CONFIG_DIR": str(tmp_path)})
    check([str(tmp_path / "dist" / "program" / "program")], tmp_path / "a.png")


def test_a_package_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in PACKAGE.rglob("*"):
            if "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(PACKAGE.parent))
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'packed.zip')!r})\n{PROGRAM}"
    check([sys.executable, "-P", "-c", script], tmp_path / "a.png")


def test_without_its_data_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_model, "MODELS", tmp_path / "models")
    with pytest.raises(mnistgen.ModelError) as error:
        mnistgen.Generator()
    assert str(error.value).startswith(f"{tmp_path / 'models'}: not found: the package's data files are missing")
    assert "--collect-data mnistgen" in str(error.value)
