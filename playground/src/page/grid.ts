/** Grid: the first hundred digits of a seed, and downloads. */

import { number } from "./address";
import { digitChoice, seedField } from "./controls";
import { startDownloads } from "./downloads";
import { canvas, element, input } from "./elements";
import { latest } from "./latest";
import type { Page, Tab } from "./page";
import { paintSheet } from "./paint";

const COUNT = 100;
const COLUMNS = 10;
const MARGIN = 2; // pixels around each digit, as in mnistgen.grid

export function startGrid(page: Page): Tab {
  let state = { seed: 1n, digit: null as number | null, truncation: 1 };
  const sheet = canvas("grid-canvas");
  const slider = input("grid-truncation");

  const show = latest(async (given: typeof state) => {
    const { images, labels } = await page.engine.call("sheet", { ...given, n: COUNT });
    paintSheet(sheet, images, COLUMNS, MARGIN);
    const what = given.digit === null ? "digits" : `digits ${given.digit}`;
    sheet.ariaLabel = `${COUNT} ${what} of seed ${given.seed}, row by row: ${labels.join(" ")}`;
    sheet.dataset["shown"] = key(given);
    page.say(`${COUNT} ${what} of seed ${given.seed}`);
  }, page.failed);

  function change(part: Partial<typeof state>): void {
    state = { ...state, ...part };
    element("grid-truncation-value", HTMLOutputElement).value = String(state.truncation);
    element("grid-python", HTMLElement).textContent = python(state);
    show(state);
    page.changed();
  }

  const seed = seedField("grid", (value) => change({ seed: value }));
  const digit = digitChoice("grid-digit", (value) => change({ digit: value }));
  slider.addEventListener("input", () => change({ truncation: slider.valueAsNumber }));
  startDownloads(page, sheet, () => state);

  return {
    read(parameters) {
      state = {
        seed: parameters.seed(1n),
        digit: parameters.read<number | null>("digit", null, (text) => (/^\d$/.test(text) ? Number(text) : null)),
        truncation: parameters.read("truncation", 1, (text) => number(text, 0, 1)),
      };
      seed.set(state.seed);
      digit.set(state.digit);
      slider.value = String(state.truncation);
    },
    write: () => ({
      seed: String(state.seed),
      ...(state.digit === null ? {} : { digit: String(state.digit) }),
      ...(state.truncation === 1 ? {} : { truncation: String(state.truncation) }),
    }),
    show: () => change({}),
  };
}

function key({ seed, digit, truncation }: { seed: bigint; digit: number | null; truncation: number }): string {
  return `${seed} ${digit ?? "all"} ${truncation}`;
}

function python({ seed, digit, truncation }: { seed: bigint; digit: number | null; truncation: number }): string {
  const which = digit === null ? "" : `, digit=${digit}`;
  const factor = truncation === 1 ? "" : `, truncation=${truncation}`;
  return `mnistgen.generate(${COUNT}${which}, seed=${seed}${factor})`;
}
