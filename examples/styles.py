"""Ten handwriting styles, ten digits each: python examples/styles.py.

Latents are a handwriting style, the label says which digit: the same latents with another label give the same slant,
weight and size in another digit. Every row is one style, every column one digit.
"""

import numpy as np

import mnistgen

STYLES, DIGITS = 10, 10

styles = mnistgen.latents(7, n=STYLES)  # of the first digits of seed 7, float32 (10, 64)
images = mnistgen.Generator().decode(np.repeat(styles, DIGITS, axis=0), np.tile(np.arange(DIGITS), STYLES))
mnistgen.save("styles.png", images, columns=DIGITS, scale=2)
print(f"styles.png: {STYLES} handwriting styles, each with all {DIGITS} digits")
