"""Draw ten digits in each of ten handwriting styles: python examples/styles.py.

Latents determine the handwriting style, and the label determines the digit. The same latents with another label give
another digit with the same slant, stroke weight and size. Each row is one style, each column one digit.
"""

import numpy as np

import mnistgen

STYLES, DIGITS = 10, 10

styles = mnistgen.latents(7, n=STYLES)  # of the first ten digits of seed 7, float32 (10, 64)
images = mnistgen.Generator().decode(np.repeat(styles, DIGITS, axis=0), np.tile(np.arange(DIGITS), STYLES))
mnistgen.save("styles.png", images, columns=DIGITS, scale=2)
print(f"styles.png: {STYLES} handwriting styles, each with all {DIGITS} digits")
