/** An ONNX graph in onnxruntime-web: WebAssembly with SIMD, one thread. */

import * as ort from "onnxruntime-web/wasm";

import { DigitsError, shown } from "./errors";

export type Feeds = Record<string, { data: Float32Array; shape: readonly number[] }>;

// (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt): only valid where SIMD is supported.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]; // prettier-ignore

/** Throws DigitsError if the browser does not support WebAssembly with SIMD. */
export function checkWebAssembly(): void {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(Uint8Array.from(SIMD))) {
    throw new DigitsError(
      "This browser lacks WebAssembly SIMD; use a current version of Firefox, Chrome, Edge or Safari",
    );
  }
}

/** Throws DigitsError if the SHA-256 of a file is not the expected one. Not checked on pages without HTTPS. */
export async function checkSha256(name: string, file: Uint8Array<ArrayBuffer>, expected: string): Promise<void> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle) return;
  const digest = new Uint8Array(await subtle.digest("SHA-256", file));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== expected) {
    throw new DigitsError(`${name}: the file is damaged, its SHA-256 is not that of card.json; reload the page`);
  }
}

let last: Promise<unknown> = Promise.resolve(); // onnxruntime-web runs one call at a time

/** A checked graph, ready to run. */
export class Graph {
  private constructor(
    private readonly name: string,
    private readonly session: ort.InferenceSession,
  ) {}

  /** Open the bytes of an ONNX file with a known SHA-256. Throws DigitsError. */
  static async open(name: string, file: Uint8Array<ArrayBuffer>, sha256: string): Promise<Graph> {
    checkWebAssembly();
    await checkSha256(name, file, sha256);
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "fatal";
    try {
      const options = { executionProviders: ["wasm"], logSeverityLevel: 4 } as const;
      return new Graph(name, await inTurn(() => ort.InferenceSession.create(file, options)));
    } catch (error) {
      throw new DigitsError(`${name}: onnxruntime cannot load it (${reason(error)})`);
    }
  }

  /** The outputs of the given names. Throws DigitsError. */
  async run(feeds: Feeds, outputs: readonly string[]): Promise<ort.Tensor[]> {
    const tensors = Object.entries(feeds).map(([name, { data, shape }]) => {
      return [name, new ort.Tensor("float32", data, shape)] as const;
    });
    try {
      const found = await inTurn(() => this.session.run(Object.fromEntries(tensors), outputs));
      return outputs.map((name) => found[name]!);
    } catch (error) {
      throw new DigitsError(`${this.name}: onnxruntime cannot run it (${reason(error)})`);
    }
  }
}

function inTurn<T>(call: () => Promise<T>): Promise<T> {
  const result = last.then(call);
  last = result.catch(() => undefined);
  return result;
}

function reason(error: unknown): string {
  return shown(error instanceof Error ? error.message.split("\n")[0]! : String(error));
}
