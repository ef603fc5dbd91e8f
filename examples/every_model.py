"""One row of digits from each bundled model, in alphabetical order: python examples/every_model.py."""

import numpy as np
from PIL import Image

import mnistgen
from mnistgen.images import grid

COLUMNS = 20

rows = [mnistgen.generate(COLUMNS, seed=1, model=name) for name in mnistgen.models()]
Image.fromarray(grid(np.concatenate(rows), columns=COLUMNS)).save("every_model.png")
print(f"every_model.png, from top to bottom: {', '.join(mnistgen.models())}")
