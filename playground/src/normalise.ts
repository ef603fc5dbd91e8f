/** A drawing -> an image normalised as MNIST's digits are, by the steps of mnistgen/photos/normalise.py. */

const SIDE = 28;
const BOX = 20; // side of a digit, in pixels of MNIST
const EDGE = 0.1; // ink at the edge of a digit; a drawing with less is blank

/** Ink (height, width), 0 to 1. */
interface Ink {
  values: Float32Array;
  width: number;
  height: number;
}

/**
 * Normalise one digit: uint8 (28, 28), ink 255, or null if the drawing is blank.
 *
 * `grey` is (height, width), ink high: uint8, or float32 from 0 to 1.
 */
export function normalise(grey: Float32Array | Uint8Array, width: number, height: number): Uint8Array | null {
  const white = grey instanceof Uint8Array ? 255 : 1;
  const values = Float32Array.from(grey, (level) => Math.min(1, Math.max(0, level / white)) || 0); // NaN is no ink
  const darkest = largest(values);
  if (darkest <= EDGE) return null;
  return normalised({ values: values.map((value) => value / darkest), width, height });
}

function normalised(drawing: Ink): Uint8Array {
  const ink = cropped(drawing);
  const unit = Math.max(ink.width, ink.height) / BOX; // a pixel of MNIST
  const missing = unit - thickness(ink);
  if (missing > 0.5) return normalised(thickened(ink, Math.ceil(missing / 2)));
  return centred(resized(ink, Math.max(1, rounded(ink.width / unit)), Math.max(1, rounded(ink.height / unit))));
}

/** The mean thickness of strokes: twice the area over the perimeter (Cauchy-Crofton formula in two directions). */
function thickness({ values, width, height }: Ink): number {
  const at = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : values[y * width + x]!;
  let [area, edges] = [0, 0];
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      area += at(x, y);
      edges += Math.abs(at(x, y) - at(x - 1, y)) + Math.abs(at(x, y) - at(x, y - 1));
    }
  }
  return ((8 / Math.PI) * area) / edges;
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

/** The largest value within `reach` pixels in both directions, with a margin for it. */
function thickened(ink: Ink, reach: number): Ink {
  const across = ({ values, width, height }: Ink): Ink => {
    const found = new Float32Array((width + 2 * reach) * height);
    values.forEach((value, pixel) => {
      const first = Math.floor(pixel / width) * (width + 2 * reach) + (pixel % width);
      for (let to = first; to <= first + 2 * reach; to++) if (found[to]! < value) found[to] = value;
    });
    return { values: found, width: width + 2 * reach, height };
  };
  return transposed(across(transposed(across(ink))));
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

/** Resample to another size: area means where it shrinks, linear interpolation where it grows, as OpenCV does. */
function resized(ink: Ink, width: number, height: number): Ink {
  const weights = Math.max(ink.width, ink.height) > BOX ? covered : between;
  const narrowed = ({ values, width: before, height: rows }: Ink, columns: number): Ink => {
    const found = new Float32Array(columns * rows);
    for (let column = 0; column < columns; column++) {
      for (const [x, weight] of weights(column, before, columns)) {
        for (let row = 0; row < rows; row++) found[row * columns + column]! += weight * values[row * before + x]!;
      }
    }
    return { values: found, width: columns, height: rows };
  };
  return transposed(narrowed(transposed(narrowed(ink, width)), height));
}

/** The pixels that a new pixel covers, and their shares of it. */
function covered(pixel: number, before: number, after: number): [number, number][] {
  const scale = before / after;
  const [start, end] = [pixel * scale, (pixel + 1) * scale];
  const shares: [number, number][] = [];
  for (let x = Math.floor(start + 1e-9); x < end - 1e-9; x++) {
    shares.push([x, (Math.min(x + 1, end) - Math.max(x, start)) / scale]);
  }
  return shares;
}

/** The two pixels that a new pixel is between, and their weights. */
function between(pixel: number, before: number, after: number): [number, number][] {
  const x = Math.min(before - 1, Math.max(0, ((pixel + 0.5) * before) / after - 0.5));
  const left = Math.min(Math.floor(x), Math.max(0, before - 2));
  return before === 1
    ? [[0, 1]]
    : [
        [left, 1 - (x - left)],
        [left + 1, x - left],
      ];
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
