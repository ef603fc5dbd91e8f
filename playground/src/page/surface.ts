/** A point between four digits, as in mnistgen's `Generator.walk`. */

import { spherical } from "../walks";

const CLASSES = 10;

type Path = (a: Float32Array, b: Float32Array, share: number) => Float32Array;

/**
 * Latents (D,) and classes (10,) at a share of the way down and to the right, from latents (4 * D,) and digits at the
 * top left, top right, bottom left and bottom right. Latents are interpolated along arcs, classes linearly.
 */
export function surface(
  latents: Float32Array,
  digits: number[],
  down: number,
  right: number,
): { latents: Float32Array; classes: Float32Array } {
  const size = latents.length / 4;
  const styles = digits.map((_, corner) => latents.subarray(corner * size, (corner + 1) * size));
  const classes = digits.map((digit) => Float32Array.from({ length: CLASSES }, (_, k) => Number(k === digit)));
  return { latents: between(spherical, styles, down, right), classes: between(linear, classes, down, right) };
}

function between(path: Path, corners: Float32Array[], down: number, right: number): Float32Array {
  const [topLeft, topRight, bottomLeft, bottomRight] = corners as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return path(path(topLeft, bottomLeft, down), path(topRight, bottomRight, down), right);
}

function linear(a: Float32Array, b: Float32Array, share: number): Float32Array {
  return a.map((value, k) => (1 - share) * value + share * b[k]!);
}
