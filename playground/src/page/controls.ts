/** Controls that several tabs use. */

import { DigitsError } from "../errors";
import { parseSeed } from "../latents";
import { element, make, markField } from "./elements";

export interface Control<T> {
  set(value: T): void;
}

/** Fill the element `data-seed=tab` with a field for a seed and a button for a fresh one. */
export function seedField(tab: string, changed: (seed: bigint) => void): Control<bigint> {
  const place = document.querySelector<HTMLElement>(`[data-seed="${tab}"]`)!;
  const field = make("input", { id: `${tab}-seed`, inputMode: "numeric", autocomplete: "off", spellcheck: false });
  const error = make("p", { id: `${tab}-seed-error`, className: "error-text" });
  const fresh = make("button", { id: `${tab}-fresh`, type: "button" }, place.dataset["fresh"] ?? "Fresh seed");
  field.setAttribute("aria-describedby", error.id);
  error.setAttribute("role", "status");
  place.append(make("label", { htmlFor: field.id }, "Seed"), field, fresh, error);

  field.addEventListener("input", () => {
    try {
      const seed = parseSeed(field.value);
      markField(field, error, "");
      changed(seed);
    } catch (problem) {
      if (!(problem instanceof DigitsError)) throw problem;
      markField(field, error, `A seed is a whole number from 0 to ${2n ** 64n - 1n}.`);
    }
  });
  fresh.addEventListener("click", () => {
    const seed = freshSeed();
    set(seed);
    changed(seed);
  });

  function set(seed: bigint): void {
    field.value = String(seed);
    markField(field, error, "");
  }
  return { set };
}

/** A random seed that is short enough to type: 0 to 2**32 - 1, as in the Python package. */
function freshSeed(): bigint {
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]!);
}

/** A row of radio buttons for "all" (null) and the digits 0 to 9. */
export function digitChoice(id: string, changed: (digit: number | null) => void): Control<number | null> {
  const place = element(id, HTMLElement);
  const choices = [null, ...Array(10).keys()].map((digit) => {
    const radio = make("input", { type: "radio", name: id, value: String(digit ?? "all") });
    radio.addEventListener("change", () => changed(digit));
    place.append(make("label", {}, radio, String(digit ?? "All")));
    return { digit, radio };
  });
  return { set: (chosen) => choices.forEach(({ digit, radio }) => (radio.checked = digit === chosen)) };
}
