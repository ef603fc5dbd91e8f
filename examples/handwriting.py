"""Write in somebody's handwriting: python examples/handwriting.py.

Each row is one of MNIST's test digits, its reconstruction and the ten digits in its style. The test digits are a part
of this repository; `mnistgen imitate` does the same for pictures of your own digits.
"""

from pathlib import Path

import numpy as np

import mnistgen

ROWS = [69, 57, 47, 68, 85, 53, 54, 70, 61, 92]  # of the test digits
DATA = Path(__file__).resolve().parents[1] / "tests" / "data" / "MNIST" / "raw"

real = np.fromfile(DATA / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)[ROWS]
generator = mnistgen.Generator()
latents, labels = generator.encode(real)
again = generator.decode(latents, labels)
rows = [
    np.concatenate([[original, copy], generator.decode(np.tile(style, (10, 1)), range(10))])
    for original, copy, style in zip(real, again, latents, strict=True)
]
mnistgen.save("handwriting.png", np.concatenate(rows), columns=12, scale=2)
print(f"handwriting.png: digits {', '.join(map(str, labels))}, reconstructions, and the ten digits in their styles")
