"""Read digits from a form: python examples/reading.py.

Draws a form with boxes, with a digit that is crossed by its box, a comma and a letter, and shows what is read.
"""

from PIL import Image, ImageDraw, ImageFont

import mnistgen

SIDE = 112  # pixels of a digit

digits = mnistgen.number("31415926", seed=8)
page = Image.new("L", (1300, 250), 255)
pen = ImageDraw.Draw(page)
for place in range(8):
    left = 60 + place * 140
    pen.rectangle((left, 70, left + SIDE, 70 + SIDE), outline=60, width=3)
    digit = Image.fromarray(digits[:, 28 * place : 28 * place + 28]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    page.paste(30, (left + 20 * (place == 4), 70), digit)
pen.line([(186, 160), (180, 184)], 30, 8)
pen.text((1170, 70), "K", 30, ImageFont.load_default(100))

reading = mnistgen.read_digits(page)
reading.draw().save("reading.png")
print(f"reading.png: {reading.text}, and {len(reading.rejected)} parts that were not read")
