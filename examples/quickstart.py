"""Generate sixteen digits, as an array and as an image file: python examples/quickstart.py."""

import mnistgen

images = mnistgen.generate(n=16, seed=1)  # uint8 (16, 28, 28), white digits (255) on black (0)
mnistgen.save("quickstart.png", images, scale=2)
print(f"quickstart.png: {images.shape} {images.dtype}, the same digits on every run, as they depend on the seed alone")
