/** Reading recorded files: gzip, .npz, and differences between arrays. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const RECORDED = new URL("../tests/recorded/", import.meta.url);

export function recorded(name: string): Buffer {
  return readFileSync(new URL(name, RECORDED));
}

/** The bytes of a recorded array. */
export function array(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(gunzipSync(recorded(`${name}.gz`)));
}

export function sha256(...parts: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

export function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The largest difference between two arrays of the same length. NaN equals NaN. */
export function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let most = 0;
  for (let k = 0; k < found.length; k++) {
    if (!Object.is(found[k], expected[k])) most = Math.max(most, Math.abs(found[k]! - expected[k]!));
    if (Number.isNaN(most)) return Infinity;
  }
  return most;
}

/** How many values differ by more than `by`, as a share. */
export function differing(found: ArrayLike<number>, expected: ArrayLike<number>, by = 0): number {
  return Array.from(found).filter((value, k) => Math.abs(value - expected[k]!) > by).length / found.length;
}

/** Header and data of a .npy file. */
export function unpack(file: Buffer): { header: string; data: Buffer } {
  const start = 10 + file.readUInt16LE(8);
  return { header: file.toString("latin1", 10, start).trim(), data: file.subarray(start) };
}
