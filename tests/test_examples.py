"""The examples run without changes.

python -m tests.test_examples updates the outputs of the notebooks and the committed pictures of the scripts.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
ARGUMENTS = {"train_on_generated": [str(ROOT / "tests/data"), "3000"]}  # the small data set of the tests


def run_script(example: Path, folder: Path) -> None:
    command = [sys.executable, str(example), *ARGUMENTS.get(example.stem, [])]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def run_notebook(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder and return it with its outputs."""
    fresh: nbformat.NotebookNode = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(fresh, timeout=120, record_timing=False, resources=resources).execute()
    return fresh


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_script_runs_and_writes_a_picture(example: Path, tmp_path: Path) -> None:
    run_script(example, tmp_path)
    with Image.open(tmp_path / f"{example.stem}.png") as picture:
        assert picture.convert("L").getextrema()[1] == 255


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # in Jupyter
def test_notebook_outputs_are_up_to_date(notebook: Path, tmp_path: Path) -> None:
    shown = nbformat.read(notebook, as_version=4)
    for before, after in zip(shown.cells, run_notebook(notebook, tmp_path).cells, strict=True):
        kinds = [[output.output_type for output in cell.get("outputs", [])] for cell in (before, after)]
        assert kinds[0] == kinds[1], "outdated; run python -m tests.test_examples"


def record() -> None:
    """Update the outputs of the notebooks and the committed pictures."""
    with tempfile.TemporaryDirectory() as folder:
        for notebook in NOTEBOOKS:
            fresh = run_notebook(notebook, Path(folder))
            fresh.metadata = nbformat.read(notebook, as_version=4).metadata  # without the Python version
            for output in (output for cell in fresh.cells for output in cell.get("outputs", [])):
                output.get("data", {}).pop("image/jpeg", None)  # the same picture is there as PNG
            nbformat.write(fresh, notebook)
    for example in EXAMPLES:
        if example.with_suffix(".png").exists():
            run_script(example, example.parent)


if __name__ == "__main__":
    record()
