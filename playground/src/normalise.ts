/** A drawing -> an image normalised as MNIST's digits are, with the rules of mnistgen.read_digits. */

import { measure } from "./attributes";

const SIDE = 28;
const BOX = 20; // side of a digit, in pixels of MNIST
const FINE = 8; // pixels of the grid on which strokes are thickened, per pixel of MNIST
const MIN_THICKNESS = 1.8; // pixels of MNIST, as by `measure`
const EDGE = 0.05; // ink at the edge of a digit; a drawing with less is blank

/** Ink (height, width), 0 to 1. */
interface Ink {
  values: Float32Array;
  width: number;
  height: number;
}

/**
 * Normalise one digit: uint8 (28, 28), ink 255, or null if the drawing is blank.
 *
 * `grey` is (height, width), ink high: uint8, or float32 from 0 to 1. The digit is scaled to fit 20 x 20 pixels, then
 * moved by whole pixels so that its centre of mass is at pixel (14, 14) (Y. LeCun, C. Cortes, C. J. C. Burges, "The
 * MNIST database"). Strokes are thickened to at least 1.8 pixels.
 */
export function normalise(grey: Float32Array | Uint8Array, width: number, height: number): Uint8Array | null {
  const white = grey instanceof Uint8Array ? 255 : 1;
  const values = Float32Array.from(grey, (level) => Math.min(1, Math.max(0, level / white)) || 0); // NaN is no ink
  const darkest = largest(values);
  if (darkest < EDGE) return null;
  let ink = onFineGrid(cropped({ values: values.map((value) => value / darkest), width, height }));
  for (;;) {
    const image = centred(fitted(ink));
    if (measure(image).thickness[0]! >= MIN_THICKNESS) return image;
    ink = thickened(ink);
  }
}

/** Crop to what is at least an edge. */
function cropped({ values, width, height }: Ink): Ink {
  let [left, top, right, bottom] = [width, height, 0, 0];
  values.forEach((value, pixel) => {
    if (value <= EDGE) return;
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
  });
  return copied({ values, width, height }, -left, -top, right - left, bottom - top);
}

function onFineGrid(ink: Ink): Ink {
  const exact = (BOX * FINE) / Math.max(ink.width, ink.height);
  const scale = exact > 1 ? rounded(exact) : exact; // whole pixels keep grey levels
  return resampled(ink, Math.max(1, rounded(scale * ink.width)), Math.max(1, rounded(scale * ink.height)));
}

/** Crop to the ink and scale to 20 pixels on the longer side. */
function fitted(ink: Ink): Ink {
  const tight = cropped(ink);
  const unit = Math.max(tight.width, tight.height) / BOX;
  const [columns, rows] = [tight.width, tight.height].map((side) => {
    return Math.min(BOX, Math.max(1, Math.ceil(side / unit - 0.01)));
  }) as [number, number];
  const missing = (pixels: number, side: number): number => Math.max(0, rounded(pixels * unit) - side);
  const [across, down] = [missing(columns, tight.width), missing(rows, tight.height)];
  const [left, top] = [Math.floor(across / 2), Math.floor(down / 2)];
  return resampled(copied(tight, left, top, tight.width + across, tight.height + down), columns, rows);
}

/** Place at most 20 x 20 pixels in 28 x 28, the centre of mass near pixel (14, 14); the darkest pixel is 255. */
function centred({ values, width, height }: Ink): Uint8Array {
  const sum = values.reduce((total, value) => total + value, 0);
  const offset = (side: number, position: (pixel: number) => number): number => {
    const centre = values.reduce((total, value, pixel) => total + value * position(pixel), 0) / sum;
    return Math.min(SIDE - side, Math.max(0, Math.floor(14.5 - centre)));
  };
  const left = offset(width, (pixel) => pixel % width);
  const top = offset(height, (pixel) => Math.floor(pixel / width));
  const framed = copied({ values, width, height }, left, top, SIDE, SIDE).values;
  const darkest = largest(framed);
  return Uint8Array.from(framed, (value) => Math.floor(Math.fround(value / darkest) * 255 + 0.5));
}

/** The largest value in a square of 3 x 3 pixels around each pixel, with a new margin of one pixel. */
function thickened({ values, width, height }: Ink): Ink {
  const [columns, rows] = [width + 2, height + 2];
  const found = new Float32Array(columns * rows);
  values.forEach((value, pixel) => {
    const corner = Math.floor(pixel / width) * columns + (pixel % width);
    for (const row of [0, columns, 2 * columns]) {
      for (const column of [0, 1, 2]) {
        const to = corner + row + column;
        if (found[to]! < value) found[to] = value;
      }
    }
  });
  return { values: found, width: columns, height: rows };
}

/** Ink moved to the right and down, on a new canvas; what lies outside is lost. */
function copied(ink: Ink, right: number, down: number, width: number, height: number): Ink {
  const values = new Float32Array(width * height);
  for (let y = Math.max(0, down); y < Math.min(height, ink.height + down); y++) {
    for (let x = Math.max(0, right); x < Math.min(width, ink.width + right); x++) {
      values[y * width + x] = ink.values[(y - down) * ink.width + x - right]!;
    }
  }
  return { values, width, height };
}

/** Resample to another size: means of the pixels whose centres lie in a new pixel, as Pillow's BOX filter. */
function resampled(ink: Ink, width: number, height: number): Ink {
  return transposed(narrowed(transposed(narrowed(ink, width)), height));
}

function narrowed({ values, width, height }: Ink, columns: number): Ink {
  const scale = width / columns;
  const size = Math.max(1, scale); // of a new pixel
  const found = new Float32Array(columns * height);
  for (let column = 0; column < columns; column++) {
    const centre = (column + 0.5) * scale;
    const distance = (x: number): number => (x - centre + 0.5) * (1 / size);
    let from = Math.max(0, Math.floor(centre - size / 2 + 0.5));
    let to = Math.min(width, Math.floor(centre + size / 2 + 0.5));
    // Rounding decides about pixels on the boundary, here as in Pillow.
    if (distance(from) <= -0.5) from++;
    if (distance(to - 1) > 0.5) to--;
    for (let row = 0; row < height; row++) {
      let sum = 0;
      for (let x = from; x < to; x++) sum += values[row * width + x]!;
      found[row * columns + column] = sum / (to - from);
    }
  }
  return { values: found, width: columns, height };
}

function transposed({ values, width, height }: Ink): Ink {
  const found = values.map((_, pixel) => values[(pixel % height) * width + Math.floor(pixel / height)]!);
  return { values: found, width: height, height: width };
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Rounded to a whole number, and halves to an even one, as in Python. */
function rounded(value: number): number {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}
