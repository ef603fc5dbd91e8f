/** The worker that holds the model, as seen from the page. The page itself never waits for the network. */

import { DigitsError } from "../errors";
import type { Calls, Name, Question, Reply } from "./calls";

interface Waiting {
  resolve: (answer: never) => void;
  reject: (error: Error) => void;
  progress: ((done: number) => void) | undefined;
}

export type Loaded = Calls["load"]["answer"];

export class Engine {
  readonly #worker = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #answered = (): void => undefined;

  private constructor() {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => this.#receive(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.stop("The model's worker failed; reload the page.");
    });
  }

  /** Start a worker and load the model. Throws DigitsError. */
  static async start(): Promise<{ engine: Engine; loaded: Loaded }> {
    const engine = new Engine();
    const loaded = await engine.call("load", { base: new URL("models/", document.baseURI).href });
    return { engine, loaded };
  }

  /** Ask the worker. Throws DigitsError. `progress` receives what is done, 0 to 1. */
  call<K extends Name>(
    name: K,
    given: Calls[K]["given"],
    progress?: (done: number) => void,
  ): Promise<Calls[K]["answer"]> {
    const id = this.#count++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, progress });
      this.#worker.postMessage({ id, name, given } as Question);
    });
  }

  /** Wait until every call is answered. */
  async idle(): Promise<void> {
    while (this.#waiting.size > 0) await new Promise<void>((answered) => (this.#answered = answered));
  }

  /** End the worker; calls that wait fail with this message. */
  stop(message: string): void {
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new DigitsError(message));
    this.#waiting.clear();
  }

  #receive(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if (reply.kind === "progress") {
      waiting.progress?.(reply.done);
      return;
    }
    this.#waiting.delete(reply.id);
    if (reply.kind === "answer") waiting.resolve(reply.answer as never);
    else waiting.reject(new DigitsError(reply.message));
    this.#answered();
  }
}
