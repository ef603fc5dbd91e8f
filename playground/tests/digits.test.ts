/** digits.ts against what mnistgen generates in Python, as recorded by record.py. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { DigitsError, load, measure, type Model, normalise, parseSeed, spherical } from "../src/digits";
import { idxImages, idxLabels, npz } from "../src/npz";
import { array, bytes, differing, largestDifference, recorded, sha256, unpack } from "./arrays";
import { unzip } from "./archive";

const facts = JSON.parse(recorded("facts.json").toString());
const MODEL = new URL("../../mnistgen/models/digits/", import.meta.url);
const QUANTILES = new URL("../../mnistgen/normal_quantiles.npy", import.meta.url);

async function read(name: string): Promise<Uint8Array> {
  return readFile(name.endsWith(".npy") ? QUANTILES : new URL(name, MODEL));
}

/** As `read`, with one byte of a file changed. */
function damaged(file: string): typeof read {
  return async (name) => {
    const content = Uint8Array.from(await read(name));
    if (name === file) content[content.length >> 1]! ^= 1;
    return content;
  };
}

function digitsOf(text: string): number[] {
  return Array.from(text, Number);
}

/** The request of a recorded file. */
function request(name: "pixels" | "edited" | "encoded"): Parameters<Model["sample"]>[0] {
  const { labels, seed, start, ...others } = facts[name];
  return { ...others, seed: BigInt(seed), start: BigInt(start) };
}

/** Pixels that differ, as text. */
function compared(found: Uint8Array, expected: Uint8Array): string {
  const percent = (share: number): string => `${(100 * share).toFixed(4)} %`;
  return (
    `${percent(differing(found, expected))} of ${found.length} pixels differ, ` +
    `${percent(differing(found, expected, 1))} by more than one grey level, at most by ${largestDifference(found, expected)}`
  );
}

const model = await load("", read);

test("latents and labels are those of Python, for 10,000 pairs of seed and index", () => {
  const { n, edges, labels, block, sha256: expected } = facts.pairs;
  const number = (name: string, k: number): bigint =>
    createHash("sha256").update(`${name} ${k}`).digest().readBigUInt64BE();
  const pairs: [bigint, bigint][] = edges.map((pair: [string, string]) => pair.map(BigInt));
  for (let k = 0; pairs.length < n; k++) pairs.push([number("seed", k), number("index", k) >> 1n]);
  const drawn = pairs.map(([seed, index]) => model.draw(seed, index, 1));
  assert.equal(drawn.map((one) => one.labels[0]).join(""), labels);
  for (let first = 0; first < n; first += block) {
    const found = sha256(...drawn.slice(first, first + block).map(({ latents }) => bytes(latents)));
    assert.equal(found, expected[first / block], `pairs ${first} to ${first + block - 1}`);
  }
});

test("a range of digits is that of Python, up to the last index of the last seed", () => {
  const { n, seed, start, sha256: expected } = facts.range;
  const { latents, labels } = model.draw(BigInt(seed), BigInt(start), n);
  assert.equal(sha256(bytes(latents), labels), expected);
});

test("pixels are those of Python within one grey level", async (context) => {
  const { images, labels, latents } = await model.sample(request("pixels"));
  const expected = array("pixels");
  context.diagnostic(compared(images, expected));
  assert.equal(labels.join(""), facts.pixels.labels);
  assert.ok(largestDifference(images, expected) <= 1);
  assert.deepEqual(await model.decode(latents, labels), images);
});

test("a digit depends on seed and index only", async () => {
  const { images, labels } = await model.sample({ n: 600, seed: 5n });
  const part = await model.sample({ n: 3, seed: 5n, start: 298n });
  assert.deepEqual(part.labels, labels.slice(298, 301));
  assert.deepEqual(part.images, images.slice(298 * 784, 301 * 784));
});

test("digits are repeated by index, and truncation gives the class mean", async () => {
  const { labels } = await model.sample({ n: 5, seed: 1n, start: 2n ** 63n - 5n, digit: [2, 0, 6] });
  const first = Number((2n ** 63n - 5n) % 3n);
  assert.deepEqual(
    [...labels],
    [0, 1, 2, 3, 4].map((k) => [2, 0, 6][(first + k) % 3]!),
  );
  const { images, latents } = await model.sample({ n: 2, seed: 1n, digit: [7], truncation: 0 });
  assert.ok(latents.every((latent) => latent === 0));
  assert.deepEqual(images.slice(784), images.slice(0, 784));
});

test("mixtures of one class decode as its label", async () => {
  const { latents, labels, images } = await model.sample({ n: 20, seed: 8n });
  const classes = new Float32Array(200);
  labels.forEach((label, k) => (classes[10 * k + label] = 1));
  assert.deepEqual(await model.decodeClasses(latents, classes), images);
});

test("the .npz holds the arrays of mnistgen sample", async () => {
  const { images, labels } = await model.sample({ n: 64, seed: 1n });
  const { name, sha256: sum } = model.card;
  const file = npz({
    images: { data: images, shape: [64, 28, 28] },
    labels: { data: BigInt64Array.from(labels, BigInt), shape: [64] },
    model: { data: name, shape: [] },
    sha256: { data: sum, shape: [] },
    seed: { data: BigUint64Array.of(1n), shape: [] },
    start: { data: BigInt64Array.of(0n), shape: [] },
  });
  const found = unzip(Buffer.from(file));
  const expected = unzip(recorded("sample.npz"));
  for (const name of ["method", "arguments"]) expected.delete(`${name}.npy`); // those of the command
  assert.deepEqual([...found.keys()], [...expected.keys()]);
  for (const [key, content] of expected) {
    const [ours, theirs] = [unpack(found.get(key)!), unpack(content)];
    assert.equal(ours.header, theirs.header, key);
    if (key === "images.npy") assert.ok(largestDifference(ours.data, theirs.data) <= 1);
    else assert.deepEqual(ours.data, theirs.data, key);
  }
});

test("IDX files have MNIST's headers", () => {
  const images = idxImages(new Uint8Array(3 * 784).fill(9));
  assert.deepEqual([...images.slice(0, 16)], [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28]);
  assert.equal(images.length, 16 + 3 * 784);
  assert.deepEqual([...idxLabels(Uint8Array.of(7, 2))], [0, 0, 8, 1, 0, 0, 0, 2, 7, 2]);
});

test("measured attributes are those of Python within 0.001", () => {
  const found = measure(array("edited"));
  for (const [name, expected] of Object.entries(facts.measured)) {
    const difference = largestDifference(found[name as keyof typeof found], expected as number[]);
    assert.ok(difference < 1e-3, `${name}: ${difference}`);
  }
  const { ink, ...others } = measure(new Uint8Array(784));
  assert.equal(ink[0], 0);
  for (const values of Object.values(others)) assert.ok(Number.isNaN(values[0]));
});

test("digits with requested attributes are those of Python", async (context) => {
  const { images, labels, latents } = await model.sample(request("edited"));
  const expected = array("edited");
  context.diagnostic(compared(images, expected));
  assert.equal(labels.join(""), facts.edited.labels);
  assert.ok(differing(images, expected, 1) < 0.001);
  assert.ok(largestDifference(images, expected) <= 8);
  const again = measure(await model.decode(latents, labels, { thickness: facts.edited.thickness }));
  const error = again.thickness.map((value) => Math.abs(value - facts.edited.thickness));
  assert.ok(error.reduce((sum, value) => sum + value, 0) / error.length < 0.15);
});

test("ranges are those of the card", () => {
  const { ranges } = model.card.attributes.slant;
  assert.deepEqual(model.range("slant", 3), ranges[3]);
  const [low, high] = model.range("slant");
  assert.ok(ranges.every(([from, to]) => low <= from && to <= high));
});

test("encoded latents are those of Python within 0.01", async (context) => {
  const { latents, labels } = await model.encode(array("encoded"));
  const difference = largestDifference(latents, new Float32Array(array("latents").buffer));
  context.diagnostic(`largest difference of a latent: ${difference.toExponential(1)}`);
  assert.equal(labels.join(""), facts.read);
  assert.ok(difference < 0.01);
});

test("an encoded digit decodes to nearly the same digit", async () => {
  const images = array("encoded");
  const { latents, labels } = await model.encode(images);
  const decoded = await model.decode(latents, labels);
  const squares = decoded.map((grey, k) => Math.abs(grey - images[k]!)).reduce((sum, one) => sum + (one / 255) ** 2, 0);
  assert.ok(squares / images.length < 0.02);
});

test("normalised drawings are those of Python within one grey level", (context) => {
  const { n, side } = facts.drawings;
  const [drawings, expected] = [array("drawings"), array("normalised")];
  let pixels = 0;
  for (let k = 0; k < n; k++) {
    const drawing = drawings.subarray(k * side ** 2, (k + 1) * side ** 2);
    const theirs = expected.subarray(k * 784, (k + 1) * 784);
    const found = normalise(drawing, side, side)!;
    assert.ok(largestDifference(found, theirs) <= 1, `drawing ${k}: ${compared(found, theirs)}`);
    pixels += differing(found, theirs) * 784;
    const grey = normalise(
      Float32Array.from(drawing, (level) => level / 255),
      side,
      side,
    )!;
    assert.ok(largestDifference(grey, theirs) <= 1, `drawing ${k} as float32`);
  }
  context.diagnostic(`${pixels} of ${n * 784} pixels differ`);
});

test("blank, full and odd drawings are normalised without NaN", () => {
  assert.equal(normalise(new Uint8Array(100), 10, 10), null);
  assert.equal(normalise(new Float32Array(100).fill(NaN), 10, 10), null);
  const full = normalise(new Uint8Array(6000).fill(255), 60, 100)!;
  assert.equal(full.filter((grey) => grey === 255).length, 12 * 20);
  const dot = new Float32Array(100);
  dot[37] = 0.5;
  assert.equal(normalise(dot, 10, 10)!.filter((grey) => grey === 255).length, 400);
  const line = new Uint8Array(200 * 200);
  for (let y = 0; y < 200; y++) line[y * 200 + 50] = 255;
  const thickness = measure(normalise(line, 200, 200)!).thickness[0]!;
  assert.ok(thickness > 0.9 && thickness < 1.6, `${thickness}`);
});

test("spherical interpolation is that of Python within 0.00001", () => {
  const { latents } = model.draw(1n, 0n, 2);
  const [first, last] = [latents.slice(0, 64), latents.slice(64)];
  facts.spherical.forEach((expected: number[], k: number) => {
    assert.ok(largestDifference(spherical(first, last, k / 8), expected) < 1e-5);
  });
  assert.deepEqual(spherical(first, last, 1), last);
  assert.deepEqual(spherical(first, first, 0.5), first);
});

test("seeds are whole numbers from 0 to 2**64 - 1", () => {
  assert.equal(parseSeed(" 0042 "), 42n);
  assert.equal(parseSeed("18446744073709551615"), 2n ** 64n - 1n);
  for (const text of ["", "-1", "1.5", "1e3", "seed", "0x10", "18446744073709551616", "9".repeat(5000)]) {
    assert.throws(
      () => parseSeed(text),
      /^DigitsError: seed: expected a whole number from 0 to 18446744073709551615, got/,
    );
  }
});

test("values outside their ranges are reported in one sentence", async () => {
  const { latents, labels } = model.draw(1n, 0n, 2);
  const bad: [() => unknown, RegExp][] = [
    [() => model.sample({ n: 1, seed: -1n }), /^seed: expected a whole number from 0 to 18446744073709551615, got -1$/],
    [() => model.sample({ n: 1, seed: 0n, start: 2n ** 63n }), /^start: expected a whole number from 0 to 922/],
    [() => model.sample({ n: 1.5, seed: 0n }), /^n: expected a whole number, got 1.5$/],
    [() => model.sample({ n: 1, seed: 0n, digit: [10] }), /^digit: expected a whole number from 0 to 9, got 10$/],
    [() => model.sample({ n: 1, seed: 0n, truncation: 2 }), /^truncation: expected a number from 0 to 1, got 2$/],
    [
      () => model.sample({ n: 1, seed: 0n, thickness: 99 }),
      /^thickness: expected a number from 1.5542 to 5.3104, got 99$/,
    ],
    [
      () => model.sample({ n: 1, seed: 0n, slant: [0.2, 0.1] }),
      /^slant: expected a range from low to high, got 0.2,0.1$/,
    ],
    [() => model.decode(latents, [1]), /^latents: expected 64 for each of 1 labels, got 128$/],
    [() => model.decode(latents.fill(NaN), labels), /^latents: expected numbers from -1000 to 1000$/],
    [() => model.encode(new Uint8Array(784)), /^images: expected digits, got a blank image$/],
    [() => model.encode(new Uint8Array(783)), /^images: expected 784 pixels each, got 783 in total$/],
  ];
  for (const [call, message] of bad) {
    await assert.rejects(
      async () => call(),
      (error: unknown) => error instanceof DigitsError && message.test(error.message),
      String(message),
    );
  }
});

test("damaged and missing files are named", async () => {
  for (const name of ["model.onnx", "normal_quantiles.npy"]) {
    await assert.rejects(load("", damaged(name)), {
      name: "DigitsError",
      message: new RegExp(`^${name}: the file is damaged`),
    });
  }
  const half = await load("", damaged("encoder.onnx"));
  await assert.rejects(half.encode(array("encoded")), { message: /^encoder.onnx: the file is damaged/ });
  assert.equal((await half.sample({ n: 1, seed: 0n })).images.length, 784);
  const other = async (name: string): Promise<Uint8Array> =>
    name === "card.json" ? new TextEncoder().encode('{"schema": 2}') : read(name);
  await assert.rejects(load("", other), { message: "card.json: expected schema 1, got 2" });
  await assert.rejects(load("http://127.0.0.1:9/"), {
    name: "DigitsError",
    message: /cannot be downloaded; check the connection/,
  });
});

test("what failed to load on first use is loaded again", async () => {
  let attempts = 0;
  const flaky = await load("", async (name) => {
    if (name === "attributes.onnx" && attempts++ === 0) throw new DigitsError("attributes.onnx: cannot be downloaded");
    return read(name);
  });
  const thick = { n: 1, seed: 0n, thickness: 3 };
  await assert.rejects(flaky.sample(thick), { message: "attributes.onnx: cannot be downloaded" });
  assert.equal((await flaky.sample(thick)).images.length, 784);
  assert.equal(attempts, 2);
});

test("calls may overlap", async () => {
  const expected = await model.sample({ n: 300, seed: 9n, thickness: 2.5 });
  const found = await Promise.all([1, 2, 3].map(() => model.sample({ n: 300, seed: 9n, thickness: 2.5 })));
  for (const { images } of found) assert.deepEqual(images, expected.images);
});

test("without WebAssembly SIMD, the message says what to do", async () => {
  const validate = WebAssembly.validate;
  WebAssembly.validate = () => false;
  try {
    await assert.rejects(load("", read), {
      name: "DigitsError",
      message: /lacks WebAssembly SIMD; use a current version/,
    });
  } finally {
    WebAssembly.validate = validate;
  }
});

test("speed", async (context) => {
  const n = 10_000;
  const times: [string, () => unknown][] = [
    ["latents and labels", () => model.draw(1n, 0n, n)],
    ["digits", () => model.sample({ n, seed: 1n })],
    ["digits with requested attributes", () => model.sample({ n, seed: 1n, thickness: 3 })],
  ];
  for (const [what, call] of times) {
    const started = performance.now();
    await call();
    context.diagnostic(`${what}: ${Math.round((1000 * n) / (performance.now() - started))} a second`);
  }
});
