"""Start-up time: python -m benchmarks.start_up.

Compares `import mnistgen` to `import numpy`, and the process `mnistgen sample --out grid.png` to `import torch` and to
a minimal Typer program that only imports the necessary libraries (with the same Typer, which imports pydantic from
version 0.29 on).
"""

import tempfile
from pathlib import Path

from benchmarks.timing import medians, process, show

BARE = """
import typer

def main(out: str = "") -> None:
    import numpy, onnxruntime, PIL.Image

typer.run(main)
"""


def main() -> None:
    """Measure and print both ratios."""
    imports = {"import numpy": process("-c", "import numpy"), "import mnistgen": process("-c", "import mnistgen")}
    seconds = medians(imports, rounds=21, warm_up=2)
    show("import", seconds, seconds["import mnistgen"] / seconds["import numpy"], "at most 1.3")

    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "grid.png")
        commands = {
            "a Typer program that imports numpy, onnxruntime and Pillow": process("-c", BARE),
            "python -c import torch": process("-c", "import torch"),
            "mnistgen sample --out grid.png": process("-m", "mnistgen", "sample", "--out", out),
        }
        seconds = medians(commands, rounds=21, warm_up=2)
    ours = seconds.pop("mnistgen sample --out grid.png")
    for name, bar in zip(tuple(seconds), ("at most 1.3", "at most 0.3"), strict=True):
        show("sample", {name: seconds[name], "mnistgen sample --out grid.png": ours}, ours / seconds[name], bar)


if __name__ == "__main__":
    main()
