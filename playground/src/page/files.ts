/** Files with many digits, generated in parts so that progress can be shown. */

import type { Model } from "../digits";
import { idxImages, idxLabels, npz, zip } from "../npz";
import type { Sheet } from "./calls";

const PART = 1000; // digits between two reports of progress
const PIXELS = 28 * 28;

/** The bytes of a file with digits of a seed: the arrays of `mnistgen sample`, or MNIST's two files in a ZIP. */
export async function fileOf(
  model: Model,
  format: "npz" | "idx",
  { seed, n, digit, truncation }: Sheet,
  progress: (done: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const images = new Uint8Array(n * PIXELS);
  const labels = new Uint8Array(n);
  for (let first = 0; first < n; first += PART) {
    const count = Math.min(PART, n - first);
    const chosen = digit === null ? {} : { digit: [digit] };
    const part = await model.sample({ n: count, seed, start: BigInt(first), truncation, ...chosen });
    images.set(part.images, first * PIXELS);
    labels.set(part.labels, first);
    progress((first + count) / n);
  }
  if (format === "idx") {
    return zip({ "train-images-idx3-ubyte": idxImages(images), "train-labels-idx1-ubyte": idxLabels(labels) });
  }
  const { name, sha256 } = model.card;
  return npz({
    images: { data: images, shape: [n, 28, 28] },
    labels: { data: BigInt64Array.from(labels, BigInt), shape: [n] },
    model: { data: name, shape: [] },
    sha256: { data: sha256, shape: [] },
    seed: { data: BigUint64Array.of(seed), shape: [] },
    start: { data: BigInt64Array.of(0n), shape: [] },
  });
}
