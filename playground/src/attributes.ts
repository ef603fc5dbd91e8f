/** Attributes of handwritten digits, measured from their pixels. */

/** Attributes of n images, float32 (n,) each; see `measure`. */
export interface Attributes {
  thickness: Float32Array;
  slant: Float32Array;
  width: Float32Array;
  height: Float32Array;
  ink: Float32Array;
}

const SIDE = 28;
export const PIXELS = SIDE ** 2; // of an image
const CENTRE = (SIDE - 1) / 2;

/**
 * Measure attributes of digits uint8 (n, 28, 28), ink 255. Grey levels count as coverage.
 *
 * - ink: area, in pixels.
 * - thickness: mean stroke thickness, in pixels: twice the area over the perimeter, which is estimated from differences
 *   between neighbours (Cauchy-Crofton formula in two directions).
 * - slant: in radians, positive to the right: the shear that makes the central moment of x and y zero (D. C. Castro et
 *   al., "Morpho-MNIST", JMLR 20, 2019, section 2.2).
 * - width, height: in pixels, of a uniform bar with the same standard deviation along x, after the slant is removed, and
 *   along y.
 *
 * A blank image has no ink, and NaN for the others.
 */
export function measure(images: Uint8Array): Attributes {
  const n = Math.floor(images.length / PIXELS);
  const empty = (): Float32Array => new Float32Array(n);
  const found: Attributes = { thickness: empty(), slant: empty(), width: empty(), height: empty(), ink: empty() };
  for (let k = 0; k < n; k++) {
    const image = images.subarray(k * PIXELS, (k + 1) * PIXELS);
    const { ink, x, y, xx, xy, yy } = moments(image);
    found.ink[k] = ink / 255;
    found.thickness[k] = (2 * ink) / ((Math.PI / 4) * edges(image));
    // Central moments; a pixel is a square, whose own variance is 1/12.
    const vertical = yy / ink - (y / ink) ** 2 + 1 / 12;
    const mixed = xy / ink - (x / ink) * (y / ink);
    const horizontal = xx / ink - (x / ink) ** 2 + 1 / 12;
    found.slant[k] = Math.atan(-mixed / vertical);
    found.width[k] = Math.sqrt(12 * Math.max(horizontal - mixed ** 2 / vertical, 1 / 12));
    found.height[k] = Math.sqrt(12 * vertical);
  }
  return found;
}

/** Sums of 1, x, y, x², xy and y² over an image, weighted by grey levels; the origin is its centre. */
function moments(image: Uint8Array): Record<"ink" | "x" | "y" | "xx" | "xy" | "yy", number> {
  const sums = { ink: 0, x: 0, y: 0, xx: 0, xy: 0, yy: 0 };
  for (let pixel = 0; pixel < image.length; pixel++) {
    const grey = image[pixel]!;
    const x = (pixel % SIDE) - CENTRE;
    const y = Math.floor(pixel / SIDE) - CENTRE;
    sums.ink += grey;
    sums.x += grey * x;
    sums.y += grey * y;
    sums.xx += grey * x * x;
    sums.xy += grey * x * y;
    sums.yy += grey * y * y;
  }
  return sums;
}

/** Sum of differences between neighbours in rows and columns; what surrounds an image is blank. */
function edges(image: Uint8Array): number {
  const grey = (row: number, column: number): number => {
    return row >= 0 && row < SIDE && column >= 0 && column < SIDE ? image[row * SIDE + column]! : 0;
  };
  let sum = 0;
  for (let row = 0; row <= SIDE; row++) {
    for (let column = 0; column <= SIDE; column++) {
      const here = grey(row, column);
      sum += Math.abs(here - grey(row, column - 1)) + Math.abs(here - grey(row - 1, column));
    }
  }
  return sum;
}
