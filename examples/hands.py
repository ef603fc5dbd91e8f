"""Ten hands write ten digits: python examples/hands.py.

The latents are the hand, the label is the digit: the same latents with another label give the same slant, weight and
size in another digit. Every row is one hand, every column one digit.
"""

import numpy as np
from PIL import Image

import mnistgen
from mnistgen.images import grid
from mnistgen.latents import draw

HANDS, DIGITS = 10, 10

generator = mnistgen.Generator("digits")
hands, _ = draw(7, 0, HANDS, generator.card.latent_dim)  # of seed 7, from its first digit on
images = generator.decode(np.repeat(hands, DIGITS, axis=0), np.tile(np.arange(DIGITS), HANDS))
Image.fromarray(grid(images, columns=DIGITS, scale=2)).save("hands.png")
print(f"hands.png: {HANDS} hands, each with all {DIGITS} digits")
