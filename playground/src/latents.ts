/** (seed, index range) -> latents and labels, bit-equal to mnistgen's in Python. */

import { DigitsError, shown } from "./errors";
import { philox } from "./philox";

export const CLASSES = 10;
export const SEEDS = 2n ** 64n; // seeds are 0 to SEEDS - 1
export const INDICES = 2n ** 63n; // indices of a seed's digits are 0 to INDICES - 1

const LEVELS = 2 ** 16; // distinct values of a latent
const LATENTS_PER_WORD = 4; // 16 bits each
const WORDS_PER_BLOCK = 4;
const PART = 4096; // digits whose random words are in memory at the same time

/** Latents float32 (n, latentDim) from N(0, 1), and labels (n,), of digits `start` to `start + n - 1` of a seed. */
export function draw(
  quantiles: Float32Array,
  seed: bigint,
  start: bigint,
  n: number,
  latentDim: number,
): { latents: Float32Array; labels: Uint8Array } {
  checkRange(seed, start, n);
  const latentWords = Math.ceil(latentDim / LATENTS_PER_WORD);
  const blocks = Math.ceil((latentWords + 1) / WORDS_PER_BLOCK); // one more word for the label
  const latents = new Float32Array(n * latentDim);
  const labels = new Uint8Array(n);
  for (let first = 0; first < n; first += PART) {
    const count = Math.min(PART, n - first);
    const halves = philox([seed, 0n], (start + BigInt(first)) * BigInt(blocks), count * blocks);
    for (let digit = 0; digit < count; digit++) {
      const at = digit * blocks * 2 * WORDS_PER_BLOCK;
      const to = (first + digit) * latentDim;
      for (let k = 0; k < latentDim; k++) {
        const half = halves[at + (k >> 1)]!;
        latents[to + k] = quantiles[k & 1 ? half >>> 16 : half & 0xffff]!;
      }
      labels[first + digit] = Math.floor((halves[at + 2 * latentWords + 1]! * CLASSES) / 2 ** 32);
    }
  }
  return { latents, labels };
}

/** Numbers float64 (n,) from 0 to 1, one for each digit of a range, from a stream of their own, 1 or more. */
export function uniform(seed: bigint, start: bigint, n: number, stream: number): Float64Array {
  const halves = philox([seed, BigInt(stream)], start, n);
  return Float64Array.from({ length: n }, (_, digit) => {
    const at = digit * 2 * WORDS_PER_BLOCK;
    return (halves[at + 1]! * 2 ** 21 + (halves[at]! >>> 11)) * 2 ** -53;
  });
}

/** The normal quantiles at (k + 1/2) / 65536, float32 (65536,), from the upper half in normal_quantiles.npy. */
export function readQuantiles(file: Uint8Array): Float32Array {
  const upper = LEVELS / 2;
  const header = file.length - 4 * upper;
  if (header < 0 || !new TextDecoder("latin1").decode(file.subarray(0, header)).includes("'<f4'")) {
    throw new DigitsError("normal_quantiles.npy: the file is damaged; reload the page");
  }
  const values = new DataView(file.buffer, file.byteOffset + header);
  const quantiles = new Float32Array(LEVELS);
  for (let k = 0; k < upper; k++) {
    const value = values.getFloat32(4 * k, true);
    quantiles[upper + k] = value;
    quantiles[upper - 1 - k] = -value;
  }
  return quantiles;
}

/** A seed from text: a whole number from 0 to 2**64 - 1. Throws DigitsError. */
export function parseSeed(text: string): bigint {
  const digits = text.trim();
  if (/^[0-9]{1,100}$/.test(digits)) {
    const seed = BigInt(digits);
    if (seed < SEEDS) return seed;
  }
  throw new DigitsError(`seed: expected a whole number from 0 to ${SEEDS - 1n}, got ${shown(text)}`);
}

/** Throws DigitsError unless seed, start and n name digits of a seed. */
export function checkRange(seed: bigint, start: bigint, n: number): void {
  if (typeof seed !== "bigint" || seed < 0n || seed >= SEEDS) {
    throw new DigitsError(`seed: expected a whole number from 0 to ${SEEDS - 1n}, got ${shown(seed)}`);
  }
  if (!Number.isSafeInteger(n) || n < 0) throw new DigitsError(`n: expected a whole number, got ${shown(n)}`);
  if (typeof start !== "bigint" || start < 0n || start > INDICES - BigInt(n)) {
    throw new DigitsError(`start: expected a whole number from 0 to ${INDICES - BigInt(n)}, got ${shown(start)}`);
  }
}
