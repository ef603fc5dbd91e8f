"""What starting costs: python -m benchmarks.start_up.

`import mnistgen` against `import numpy`, and the whole `mnistgen sample --out grid.png` against the bare imports that
it cannot do without, and against that of PyTorch.
"""

import tempfile
from pathlib import Path

from benchmarks.timing import medians, process, show

BARE = "python -c import numpy, onnxruntime, PIL.Image, typer"


def main() -> None:
    """Measure and print both ratios."""
    imports = {"import numpy": process("-c", "import numpy"), "import mnistgen": process("-c", "import mnistgen")}
    seconds = medians(imports, rounds=21, warm_up=2)
    show("import", seconds, seconds["import mnistgen"] / seconds["import numpy"], "at most 1.3")

    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "grid.png")
        whole = {
            BARE: process("-c", "import numpy, onnxruntime, PIL.Image, typer"),
            "python -c import torch": process("-c", "import torch"),
            "mnistgen sample --out grid.png": process("-m", "mnistgen", "sample", "--out", out),
        }
        seconds = medians(whole, rounds=21, warm_up=2)
    ours = seconds.pop("mnistgen sample --out grid.png")
    for name, bar in zip(tuple(seconds), ("at most 1.6", "at most 0.3"), strict=True):
        show("sample", {name: seconds[name], "mnistgen sample --out grid.png": ours}, ours / seconds[name], bar)


if __name__ == "__main__":
    main()
