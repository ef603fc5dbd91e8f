"""Draw digits with chosen attributes: python examples/attributes.py.

Each row is one digit of a seed: from thin to thick on the left, from left slant to right slant on the right.
"""

import numpy as np

import mnistgen

ROWS, COLUMNS = 8, 8

generator = mnistgen.Generator()
images = [
    generator.sample(1, digit=[2, 3, 5, 8, 7, 4, 6, 9], seed=4, start=row, **{name: value})
    for row in range(ROWS)
    for name, values in {"thickness": (1.8, 4.0), "slant": (-0.25, 0.5)}.items()
    for value in np.linspace(*values, COLUMNS)
]
mnistgen.save("attributes.png", np.concatenate(images), columns=2 * COLUMNS, scale=1)
print("attributes.png: thickness from 1.8 to 4 pixels, then slant from -0.25 to 0.5 radians")
