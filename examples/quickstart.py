"""Sixteen digits as an array and as a picture: python examples/quickstart.py."""

import mnistgen

images = mnistgen.generate(n=16, seed=1)  # uint8 (16, 28, 28), ink 255, paper 0
mnistgen.save("quickstart.png", images, scale=2)
print(f"quickstart.png: {images.shape} {images.dtype}, the same digits on every run, as they depend on the seed alone")
