"""Sixteen digits as an array and as a picture: python examples/quickstart.py."""

from PIL import Image

import mnistgen
from mnistgen.images import grid

images = mnistgen.generate(n=16, seed=1)  # uint8 (16, 28, 28), ink 255, paper 0
Image.fromarray(grid(images, scale=2)).save("quickstart.png")
print(f"quickstart.png: {images.shape} {images.dtype}, the same on every run, for seed 1 names them")
