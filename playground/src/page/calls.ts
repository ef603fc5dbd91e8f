/** What the page asks of its worker, and what the worker answers. */

import type { Attribute, Card } from "../card";

export type Requested = Partial<Record<Attribute, number>>;

/** Digits 0 to n - 1 of a seed: of all labels, or of one. */
export interface Sheet {
  seed: bigint;
  n: number;
  digit: number | null;
  truncation: number;
}

export interface Calls {
  /** Load the model; everything else needs it. */
  load: {
    given: { base: string };
    answer: { card: Card; ranges: Record<Attribute, [number, number]>; bytes: number; milliseconds: number };
  };
  /** Images uint8 (n * 784) and labels (n,). */
  sheet: { given: Sheet; answer: { images: Uint8Array; labels: Uint8Array } };
  /** Digits with these labels in the style of a seed's first digit, and the mean attributes of the first ten. */
  hand: {
    given: { seed: bigint; labels: number[]; requested: Requested };
    answer: { images: Uint8Array; attributes: Record<Attribute, number> };
  };
  /** A drawing, grey levels (side * side) with ink 255: null if it is blank. */
  drawing: { given: { grey: Uint8Array; side: number }; answer: Reading | null };
  /** Interpolations at points [right, down, ...], 0 to 1, between four digits of a seed: images (n * 784). */
  walk: { given: { seed: bigint; corners: number[]; points: number[] }; answer: { images: Uint8Array } };
  /** Every step from a seed to its digit 0, and back. */
  steps: { given: { seed: bigint }; answer: Steps };
  /** Digits generated per second. */
  speed: { given: { n: number }; answer: { digitsPerSecond: number } };
  /** The bytes of a file with digits of a seed; progress is reported. */
  file: { given: Sheet & { format: "npz" | "idx" }; answer: { bytes: Uint8Array<ArrayBuffer> } };
}

export interface Reading {
  normalised: Uint8Array; // (784,)
  label: number;
  reconstruction: Uint8Array; // (784,)
  ten: Uint8Array; // (10 * 784,)
  ink: number; // share of the 20 x 20 box
}

export interface Steps {
  words: string[]; // 64-bit words of Philox, hexadecimal
  latents: Float32Array; // (D,)
  label: number;
  image: Uint8Array; // (784,)
  encoded: Float32Array; // (D,)
  read: number; // the label that the encoder reads
  reconstruction: Uint8Array; // (784,)
}

export type Name = keyof Calls;
export type Question = { [K in Name]: { id: number; name: K; given: Calls[K]["given"] } }[Name];
export type Reply =
  | { id: number; kind: "answer"; answer: Calls[Name]["answer"] }
  | { id: number; kind: "error"; message: string }
  | { id: number; kind: "progress"; done: number };
