/** Attributes on request: change latents so that their digits have the requested thickness, slant, width and height. */

import { measure, PIXELS } from "./attributes";
import { type Attribute, ATTRIBUTES, type Card } from "./card";
import { DigitsError, realNumber, shown, wholeNumber } from "./errors";
import type { Graph } from "./graph";
import { CLASSES, uniform } from "./latents";

/** A value for all digits, or a range to draw from, by attribute. */
export type Requested = Partial<Record<Attribute, number | [number, number]>>;

export type Decode = (latents: Float32Array, classes: Float32Array) => Promise<Uint8Array>;

const COUNT = ATTRIBUTES.length;
const TOLERANCE = 0.15; // standard deviations: smaller errors are not corrected, larger ones down to this

/** From and to: the values of an attribute that a digit's class can have, or any class. */
export function rangeOf(card: Card, attribute: Attribute, digit?: number): [number, number] {
  const ranges = card.attributes[attribute].ranges;
  if (digit !== undefined) return [...ranges[wholeNumber("digit", digit, 0, CLASSES - 1)]!];
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}

/**
 * Requested values float32 (n, 4) of the digits from index `start` of a seed on, clipped to the range of each digit's
 * class; NaN where there is none, and null if there are none at all. Throws DigitsError for values of no class.
 */
export function requestedValues(
  card: Card,
  requested: Requested,
  labels: Uint8Array,
  seed: bigint,
  start: bigint,
): Float32Array | null {
  const given = ATTRIBUTES.filter((name) => requested[name] !== undefined);
  if (!given.length) return null;
  const values = new Float32Array(labels.length * COUNT).fill(NaN);
  for (const name of given) {
    const index = ATTRIBUTES.indexOf(name);
    const [from, to] = checked(card, name, requested[name]!);
    const shares = from === to ? null : uniform(seed, start, labels.length, 1 + index);
    labels.forEach((label, k) => {
      const [low, high] = rangeOf(card, name, label);
      const first = clip(from, low, high);
      values[k * COUNT + index] = shares ? first + shares[k]! * (clip(to, low, high) - first) : first;
    });
  }
  return values;
}

function checked(card: Card, name: Attribute, value: number | [number, number]): [number, number] {
  const limits = rangeOf(card, name);
  const [from, to] = typeof value === "number" ? [value, value] : value;
  for (const end of [from, to]) realNumber(name, end, ...limits);
  if (from > to) throw new DigitsError(`${name}: expected a range from low to high, got ${shown(value)}`);
  return [from, to];
}

function clip(value: number, low: number, high: number): number {
  return Math.fround(Math.min(high, Math.max(low, value)));
}

/** attributes.onnx: it predicts attributes, and changes latents by as little as possible. */
export class Editor {
  constructor(
    private readonly card: Card,
    private readonly graph: Graph,
  ) {}

  /** Images of latents that are changed as predicted, then once more as measured; values (n, 4) may be NaN. */
  async images(
    latents: Float32Array,
    classes: Float32Array,
    values: Float32Array,
    decode: Decode,
  ): Promise<Uint8Array> {
    const predicted = await this.run("attributes", latents, classes, new Float32Array(values.length));
    const change = this.scaled(values, (value, { mean, deviation }, k) => (value - mean) / deviation - predicted[k]!);
    const edited = await this.run("changed", latents, classes, change);
    const images = Uint8Array.from(await decode(edited, classes));
    const found = measure(images);
    const error = this.scaled(values, (value, { deviation }, k) => {
      const off = (value - found[ATTRIBUTES[k % COUNT]!][Math.floor(k / COUNT)]!) / deviation;
      // Shrunk by the tolerance, so that the result changes continuously with what was measured.
      return Math.sign(off) * Math.max(Math.abs(off) - TOLERANCE, 0);
    });
    const off = Array.from(classes.subarray(0, classes.length / CLASSES), (_, k) => k).filter((k) =>
      error.subarray(k * COUNT, (k + 1) * COUNT).some(Boolean),
    );
    if (!off.length) return images;
    const theirs = rows(classes, off, CLASSES);
    const again = await this.run("changed", rows(edited, off, this.card.latent_dim), theirs, rows(error, off, COUNT));
    const corrected = await decode(again, theirs);
    off.forEach((k, row) => images.set(corrected.subarray(row * PIXELS, (row + 1) * PIXELS), k * PIXELS));
    return images;
  }

  /** Values (n, 4) after a calculation, 0 where they are NaN. */
  private scaled(
    values: Float32Array,
    calculate: (value: number, card: Card["attributes"][Attribute], k: number) => number,
  ): Float32Array {
    return values.map((value, k) => calculate(value, this.card.attributes[ATTRIBUTES[k % COUNT]!], k) || 0);
  }

  private async run(
    output: "attributes" | "changed",
    latents: Float32Array,
    classes: Float32Array,
    change: Float32Array,
  ): Promise<Float32Array> {
    const n = classes.length / CLASSES;
    const feeds = {
      latents: { data: latents, shape: [n, this.card.latent_dim] },
      classes: { data: classes, shape: [n, CLASSES] },
      change: { data: change, shape: [n, COUNT] },
    };
    const [values] = await this.graph.run(feeds, [output]);
    return values!.data as Float32Array;
  }
}

/** Rows of values (n, size). */
function rows(values: Float32Array, chosen: readonly number[], size: number): Float32Array {
  const found = new Float32Array(chosen.length * size);
  chosen.forEach((k, row) => found.set(values.subarray(k * size, (k + 1) * size), row * size));
  return found;
}
