/**
 * mnistgen's digits without Python: the same seed and index give the same digit.
 *
 *     const model = await load("models/");
 *     const { images, labels } = await model.sample({ n: 64, seed: 1n });
 *
 * Needs no DOM. Images are uint8 (n, 28, 28), flat, ink 255, background 0; errors for users are DigitsErrors.
 */

import { PIXELS } from "./attributes";
import { type Attribute, type Card, readCard } from "./card";
import { Editor, rangeOf, type Requested, requestedValues } from "./editing";
import { DigitsError, realNumber, shown, wholeNumber } from "./errors";
import { checkSha256, checkWebAssembly, type Feeds, Graph } from "./graph";
import { CLASSES, checkRange, draw, readQuantiles } from "./latents";

export { measure, type Attributes } from "./attributes";
export { ATTRIBUTES, type Attribute, type Card } from "./card";
export type { Requested } from "./editing";
export { DigitsError } from "./errors";
export { parseSeed } from "./latents";
export { normalise } from "./normalise";
export { spherical } from "./walks";

const QUANTILES_SHA256 = "370e531e17b85d4cb7772cf1bc9358dd0d96f9125ea860339d4148dca93e81f9";
const CHUNK = 256; // digits per call of a network
const LARGEST_LATENT = 1000; // in absolute value

/** Digits of a seed. */
export interface Digits {
  images: Uint8Array; // (n, 784)
  labels: Uint8Array; // (n,)
  latents: Float32Array; // (n, D), after truncation and before attributes are changed
}

export interface SampleOptions extends Requested {
  n: number;
  seed: bigint; // 0 to 2**64 - 1
  start?: bigint; // index of the first digit in the seed
  digit?: readonly number[]; // repeated cyclically by index in the seed; by default, labels are drawn
  truncation?: number; // 0 to 1, factor of the latents
}

type Bytes = Promise<Uint8Array<ArrayBuffer>>;
export type Read = (name: string) => Promise<Uint8Array>;

/**
 * Load a model from a folder with card.json, model.onnx, normal_quantiles.npy, and attributes.onnx and encoder.onnx,
 * which are loaded on first use. `read` replaces fetch.
 *
 * Throws DigitsError without WebAssembly SIMD, and for files that are missing or damaged.
 */
export async function load(base: string | URL, read: Read = fetchFrom(base)): Promise<Model> {
  checkWebAssembly();
  const whole = async (name: string): Bytes => new Uint8Array(await read(name));
  const [cardFile, quantiles, network] = await Promise.all([
    whole("card.json"),
    whole("normal_quantiles.npy"),
    whole("model.onnx"),
  ]);
  const card = readCard(cardFile);
  await checkSha256("normal_quantiles.npy", quantiles, QUANTILES_SHA256);
  const graph = await Graph.open("model.onnx", network, card.sha256);
  return new Model(card, readQuantiles(quantiles), graph, whole);
}

/** Read files of a folder by fetch. Throws DigitsError. */
export function fetchFrom(base: string | URL): Read {
  return async (name) => {
    const address = new URL(name, new URL(base, globalThis.location?.href));
    try {
      const response = await fetch(address);
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
    } catch {
      throw new DigitsError(`${name}: cannot be downloaded; check the connection and reload the page`);
    }
    throw new DigitsError(`${name}: not found on the server`);
  };
}

/** A loaded model. */
export class Model {
  private opened: { editor?: Promise<Editor>; encoder?: Promise<Graph> } = {};

  /** Use `load`. */
  constructor(
    readonly card: Card,
    private readonly quantiles: Float32Array,
    private readonly graph: Graph,
    private readonly read: (name: string) => Bytes,
  ) {}

  get latentDim(): number {
    return this.card.latent_dim;
  }

  /** Latents float32 (n, D) and labels (n,) of digits `start` to `start + n - 1` of a seed. */
  draw(seed: bigint, start: bigint, n: number): { latents: Float32Array; labels: Uint8Array } {
    return draw(this.quantiles, seed, start, n, this.latentDim);
  }

  /**
   * Digits `start` to `start + n - 1` of a seed, with requested attributes: a number, or a range to draw from. A value
   * outside the range of a digit's class becomes the nearest end of the range.
   */
  async sample({ n, seed, start = 0n, digit = [], truncation = 1, ...requested }: SampleOptions): Promise<Digits> {
    checkRange(seed, start, n);
    realNumber("truncation", truncation, 0, 1);
    const { latents, labels } = this.draw(seed, start, n);
    if (truncation !== 1) latents.forEach((latent, k) => (latents[k] = latent * Math.fround(truncation)));
    if (digit.length) {
      const first = Number(start % BigInt(digit.length));
      labels.forEach((_, k) => (labels[k] = wholeNumber("digit", digit[(first + k) % digit.length]!, 0, 9)));
    }
    const values = requestedValues(this.card, requested, labels, seed, start);
    return { images: await this.images(latents, oneHot(labels), values), labels, latents };
  }

  /** Images of latents (n, D) and labels (n,), with requested attributes. */
  async decode(
    latents: Float32Array,
    labels: ArrayLike<number>,
    requested: Partial<Record<Attribute, number>> = {},
  ): Promise<Uint8Array> {
    const checked = Uint8Array.from(labels, (label) => wholeNumber("labels", label, 0, 9));
    this.checkLatents(latents, checked.length);
    return this.images(latents, oneHot(checked), requestedValues(this.card, requested, checked, 0n, 0n));
  }

  /** Images of latents (n, D) and mixtures of classes (n, 10), whose rows sum to 1. */
  async decodeClasses(latents: Float32Array, classes: Float32Array): Promise<Uint8Array> {
    this.checkLatents(latents, classes.length / CLASSES);
    return this.images(latents, classes, null);
  }

  /** Latents (n, D) that reproduce images, and their labels (n,) as the encoder reads them. */
  async encode(images: Uint8Array): Promise<{ latents: Float32Array; labels: Uint8Array }> {
    const n = images.length / PIXELS;
    if (!Number.isInteger(n)) throw new DigitsError(`images: expected 784 pixels each, got ${images.length} in total`);
    for (let k = 0; k < n; k++) {
      if (!images.subarray(k * PIXELS, (k + 1) * PIXELS).some(Boolean)) {
        throw new DigitsError("images: expected digits, got a blank image");
      }
    }
    const encoder = await this.once("encoder", async () =>
      Graph.open("encoder.onnx", await this.read("encoder.onnx"), this.card.encoder.sha256),
    );
    const latents = new Float32Array(n * this.latentDim);
    const labels = new Uint8Array(n);
    for (let first = 0; first < n; first += CHUNK) {
      const count = Math.min(CHUNK, n - first);
      const pixels = Float32Array.from(part(images, first, count, PIXELS), (grey) => grey / 255);
      const feeds: Feeds = { images: { data: pixels, shape: [count, 28, 28] } };
      const [found, logits] = await encoder.run(feeds, ["latents", "label_logits"]);
      latents.set(found!.data as Float32Array, first * this.latentDim);
      for (let k = 0; k < count; k++) labels[first + k] = largest(part(logits!.data as Float32Array, k, 1, CLASSES));
    }
    return { latents, labels };
  }

  /** From and to: the values of an attribute that a digit's class can have, or any class. */
  range(attribute: Attribute, digit?: number): [number, number] {
    return rangeOf(this.card, attribute, digit);
  }

  /** Images of latents and classes, in chunks; values (n, 4) are requested attributes, NaN where there is none. */
  private async images(latents: Float32Array, classes: Float32Array, values: Float32Array | null): Promise<Uint8Array> {
    const n = classes.length / CLASSES;
    const images = new Uint8Array(n * PIXELS);
    const edit = values && (await this.editor());
    for (let first = 0; first < n; first += CHUNK) {
      const count = Math.min(CHUNK, n - first);
      const chosen = part(classes, first, count, CLASSES);
      const styles = part(latents, first, count, this.latentDim);
      const decode = (some: Float32Array, theirs: Float32Array): Promise<Uint8Array> => this.run(some, theirs);
      const found =
        edit && values ? edit.images(styles, chosen, part(values, first, count, 4), decode) : decode(styles, chosen);
      images.set(await found, first * PIXELS);
    }
    return images;
  }

  private async run(latents: Float32Array, classes: Float32Array): Promise<Uint8Array> {
    const n = classes.length / CLASSES;
    const feeds: Feeds = {
      latents: { data: latents, shape: [n, this.latentDim] },
      classes: { data: classes, shape: [n, CLASSES] },
    };
    const [images] = await this.graph.run(feeds, ["images"]);
    return images!.data as Uint8Array;
  }

  private editor(): Promise<Editor> {
    return this.once("editor", async () => {
      const file = await this.read("attributes.onnx");
      return new Editor(this.card, await Graph.open("attributes.onnx", file, this.card.attributes.sha256));
    });
  }

  /** What was opened on first use; opened again after a failure. */
  private once<Name extends "editor" | "encoder">(
    name: Name,
    open: () => NonNullable<(typeof this.opened)[Name]>,
  ): NonNullable<(typeof this.opened)[Name]> {
    const opened = this.opened[name] ?? open();
    this.opened[name] = opened;
    opened.catch(() => delete this.opened[name]);
    return opened;
  }

  private checkLatents(latents: Float32Array, n: number): void {
    if (latents.length !== n * this.latentDim) {
      throw new DigitsError(
        `latents: expected ${this.latentDim} for each of ${shown(n)} labels, got ${latents.length}`,
      );
    }
    if (!latents.every((latent) => Math.abs(latent) <= LARGEST_LATENT)) {
      throw new DigitsError(`latents: expected numbers from -${LARGEST_LATENT} to ${LARGEST_LATENT}`);
    }
  }
}

function oneHot(labels: Uint8Array): Float32Array {
  const classes = new Float32Array(labels.length * CLASSES);
  labels.forEach((label, k) => (classes[k * CLASSES + label] = 1));
  return classes;
}

function part<T extends Float32Array | Uint8Array>(values: T, first: number, count: number, size: number): T {
  return values.subarray(first * size, (first + count) * size) as T;
}

function largest(values: Float32Array): number {
  return values.indexOf(Math.max(...values));
}
