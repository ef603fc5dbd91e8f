/** The worker: holds the model and answers the page, so that the page stays responsive. */

import { ATTRIBUTES, DigitsError, fetchFrom, load, measure, type Model, normalise } from "../digits";
import { philox } from "../philox";
import { surface } from "./surface";
import type { Attribute } from "../card";
import type { Calls, Name, Question, Reply } from "./calls";
import { fileOf } from "./files";

const PIXELS = 28 * 28;
const BOX = 20 * 20 * 255; // grey levels of a full 20 x 20 box

type Progress = (done: number) => void;
type Answers = { [K in Name]: (given: Calls[K]["given"], progress: Progress) => Promise<Calls[K]["answer"]> };

let model: Model;

const answers: Answers = {
  async load({ base }) {
    const started = performance.now();
    const read = fetchFrom(base);
    let bytes = 0;
    model = await load(base, async (name) => {
      const file = await read(name);
      if (name === "model.onnx") bytes = file.length;
      return file;
    });
    const ranges = record((name) => model.range(name));
    return { card: model.card, ranges, bytes, milliseconds: performance.now() - started };
  },

  async sheet({ seed, n, digit, truncation }) {
    return model.sample({ n, seed, truncation, ...(digit === null ? {} : { digit: [digit] }) });
  },

  async hand({ seed, labels, requested }) {
    const images = await model.decode(repeat(model.draw(seed, 0n, 1).latents, labels.length), labels, requested);
    const measured = measure(images.subarray(0, 10 * PIXELS));
    return { images, attributes: record((name) => mean(measured[name])) };
  },

  async drawing({ grey, side }) {
    const normalised = normalise(grey, side, side);
    if (!normalised) return null;
    const { latents, labels } = await model.encode(normalised);
    const label = labels[0]!;
    const images = await model.decode(repeat(latents, 11), [label, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const ink = normalised.reduce((sum, level) => sum + level, 0) / BOX;
    return { normalised, label, reconstruction: images.slice(0, PIXELS), ten: images.slice(PIXELS), ink };
  },

  async walk({ seed, corners, points }) {
    const { latents } = model.draw(seed, 0n, 4);
    const inputs = Array.from({ length: points.length / 2 }, (_, k) =>
      surface(latents, corners, points[2 * k + 1]!, points[2 * k]!),
    );
    const images = await model.decodeClasses(
      joined(inputs.map((input) => input.latents)),
      joined(inputs.map((input) => input.classes)),
    );
    return { images };
  },

  async steps({ seed }) {
    const { latents, labels } = model.draw(seed, 0n, 1);
    const halves = philox([seed, 0n], 0n, Math.ceil((Math.ceil(latents.length / 4) + 1) / 4));
    const words = Array.from({ length: halves.length / 2 }, (_, word) =>
      [halves[2 * word + 1]!, halves[2 * word]!].map((half) => half.toString(16).padStart(8, "0")).join(""),
    );
    const image = await model.decode(latents, labels);
    const encoded = await model.encode(image);
    const reconstruction = await model.decode(encoded.latents, encoded.labels);
    const label = labels[0]!;
    return { words, latents, label, image, encoded: encoded.latents, read: encoded.labels[0]!, reconstruction };
  },

  async speed({ n }) {
    const started = performance.now();
    await model.sample({ n, seed: 1n });
    return { digitsPerSecond: (1000 * n) / (performance.now() - started) };
  },

  async file({ format, ...sheet }, progress) {
    return { bytes: await fileOf(model, format, sheet, progress) };
  },
};

function record<T>(value: (name: Attribute) => T): Record<Attribute, T> {
  return Object.fromEntries(ATTRIBUTES.map((name) => [name, value(name)])) as Record<Attribute, T>;
}

function repeat(values: Float32Array, count: number): Float32Array {
  return joined(Array.from({ length: count }, () => values));
}

function joined(parts: Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const send = (reply: Reply, transfer: Transferable[] = []): void => self.postMessage(reply, { transfer });

async function receive<K extends Name>(id: number, name: K, given: Calls[K]["given"]): Promise<void> {
  try {
    const answer = await answers[name](given, (done) => send({ id, kind: "progress", done }));
    send({ id, kind: "answer", answer }, name === "file" ? [(answer as Calls["file"]["answer"]).bytes.buffer] : []);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = error instanceof DigitsError ? reason : `The digits could not be generated (${reason}).`;
    send({ id, kind: "error", message });
  }
}

self.addEventListener(
  "message",
  ({ data }: MessageEvent<Question>) => void receive(data.id, data.name, data.given as never),
);
