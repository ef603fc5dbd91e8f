"""From one digit to another through the latent space: python examples/latent_walk.py.

Latents are drawn from a normal distribution, so nearly all of them have about the same length. The walk therefore
follows the sphere and not the chord, whose middle the generator has never seen.
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
