/** Downloads: the grid as PNG, and files of up to 60,000 digits, made by a worker of their own. */

import { button, element, input, make, markField } from "./elements";
import { Engine } from "./engine";
import type { Page } from "./page";
import { onBlack } from "./paint";

const LARGEST = 60_000; // digits
const KEPT = 60_000; // ms until the browser has certainly read the file

interface Chosen {
  seed: bigint;
  digit: number | null;
  truncation: number;
}

export function startDownloads(page: Page, sheet: HTMLCanvasElement, chosen: () => Chosen): void {
  const count = input("grid-count");
  const error = element("grid-count-error", HTMLElement);
  const panel = element("grid-progress", HTMLElement);
  const bar = element("grid-progress-bar", HTMLProgressElement);
  const text = element("grid-progress-text", HTMLElement);
  const starters = [button("grid-npz"), button("grid-idx")];
  let engine: Engine | null = null;
  let cancelled = false;

  button("grid-png").addEventListener("click", () => {
    onBlack(sheet).toBlob((blob) => {
      if (blob) save(blob, `${nameOf(chosen())}.png`);
      else page.failed(new Error("The browser could not write the PNG."));
    }, "image/png");
  });

  async function start(format: "npz" | "idx"): Promise<void> {
    const n = countOf(count.value);
    markField(count, error, n === null ? `Choose 1 to ${LARGEST.toLocaleString("en")} digits.` : "");
    if (n === null) return count.focus();
    const what = chosen();
    busy(true);
    report(0, n);
    try {
      ({ engine } = await Engine.start());
      if (cancelled) return;
      const { bytes } = await engine.call("file", { ...what, n, format }, (done) => report(done, n));
      save(new Blob([bytes]), `${nameOf(what)}-${n}${format === "npz" ? ".npz" : "-idx.zip"}`);
      page.say("The file is ready.");
    } catch (problem) {
      if (!cancelled) page.failed(problem);
    } finally {
      engine?.stop("");
      engine = null;
      busy(false);
    }
  }

  function busy(on: boolean): void {
    cancelled = false;
    panel.hidden = !on;
    for (const starter of starters) starter.disabled = on;
    if (on) button("grid-cancel").focus();
    else if (document.activeElement === document.body) starters[0]?.focus();
  }

  function report(done: number, n: number): void {
    bar.value = done;
    text.textContent = `${Math.round(done * n).toLocaleString("en")} of ${n.toLocaleString("en")} digits`;
  }

  starters[0]!.addEventListener("click", () => void start("npz"));
  starters[1]!.addEventListener("click", () => void start("idx"));
  button("grid-cancel").addEventListener("click", () => {
    cancelled = true;
    engine?.stop("cancelled");
    page.say("Cancelled.");
  });
}

function countOf(text: string): number | null {
  const n = Number(text.replace(/[ ,_]/g, ""));
  return Number.isInteger(n) && n >= 1 && n <= LARGEST ? n : null;
}

function nameOf({ seed, digit }: Chosen): string {
  return `digits-seed-${seed}${digit === null ? "" : `-of-${digit}`}`;
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}
