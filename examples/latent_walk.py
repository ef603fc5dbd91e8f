"""Interpolate between digits in latent space: python examples/latent_walk.py.

Latents are normally distributed, so nearly all of them have about the same norm. The interpolation therefore follows an
arc on the sphere. The midpoint of a straight line would have a norm that does not occur in training.
"""

import numpy as np

import mnistgen

ROWS, STEPS = 8, 12

generator = mnistgen.Generator("dcgan")
random = np.random.default_rng(4)
first, last = random.standard_normal((2, ROWS, generator.card.latent_dim), np.float32)
angles = np.linspace(0, np.pi / 2, STEPS, dtype=np.float32)
walks = np.cos(angles)[:, None] * first[:, None] + np.sin(angles)[:, None] * last[:, None]  # (ROWS, STEPS, D)
images = generator.decode(walks.reshape(-1, generator.card.latent_dim))
mnistgen.save("latent_walk.png", images, columns=STEPS, scale=2)
print(f"latent_walk.png: {ROWS} walks of {STEPS} steps")
