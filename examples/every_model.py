"""Draw one row of digits from each bundled model, in alphabetical order: python examples/every_model.py."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import mnistgen

COLUMNS, NAMES = 20, 130  # digits per row; width of the names, in pixels

models = list(mnistgen.models())
digits = mnistgen.grid(np.concatenate([mnistgen.generate(COLUMNS, seed=1, model=name) for name in models]), COLUMNS)
picture = Image.new("L", (NAMES + digits.shape[1], digits.shape[0]))
picture.paste(Image.fromarray(digits), (NAMES, 0))
for row, name in enumerate(models):
    middle = (row + 0.5) * digits.shape[0] / len(models)
    ImageDraw.Draw(picture).text((10, middle), name, fill=255, font=ImageFont.load_default(17), anchor="lm")
picture.save("every_model.png")
print(f"every_model.png, from top to bottom: {', '.join(models)}")
