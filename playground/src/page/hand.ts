/** Hand: ten digits in the style of a seed's first digit, with chosen attributes, and a number in that style. */

import { ATTRIBUTES, type Attribute } from "../card";
import type { Requested } from "./calls";
import { seedField } from "./controls";
import { button, element, input, markField } from "./elements";
import { latest } from "./latest";
import type { Page, Tab } from "./page";
import { paintEach, split } from "./paint";
import { type AttributeSlider, attributeSlider } from "./sliders";

const TEN = [...Array(10).keys()];
const LONGEST = 24; // characters
const TEXT = "2026";

export function startHand(page: Page): Tab {
  let state = { seed: 1n, requested: {} as Requested, text: TEXT };
  const ten = element("hand-ten", HTMLElement);
  const number = element("hand-number", HTMLElement);
  const field = input("hand-text");
  const error = element("hand-text-error", HTMLElement);

  const show = latest(async (given: typeof state) => {
    const written = [...given.text].filter((character) => character !== " ").map(Number);
    const { seed, requested } = given;
    const { images, attributes } = await page.engine.call("hand", { seed, requested, labels: [...TEN, ...written] });
    const digits = split(images);
    paintEach(ten, digits.splice(0, TEN.length));
    paintEach(
      number,
      [...given.text].map((character) => (character === " " ? null : digits.shift()!)),
    );
    for (const name of ATTRIBUTES) if (requested[name] === undefined) sliders[name].measured(attributes[name]);
    ten.ariaLabel = `The digits 0 to 9 in the handwriting of seed ${seed}${described(requested)}`;
    number.ariaLabel = written.length ? `${given.text}, in this handwriting` : "Nothing is written";
    page.say(ten.ariaLabel);
  }, page.failed);

  function change(part: Partial<typeof state>): void {
    state = { ...state, ...part };
    button("hand-reset").disabled = Object.keys(state.requested).length === 0;
    element("hand-python", HTMLElement).textContent = python(state);
    show(state);
    page.changed();
  }

  function request(name: Attribute, value: number | null): void {
    const others = ATTRIBUTES.map((other) => [other, other === name ? value : state.requested[other]] as const);
    change({ requested: Object.fromEntries(others.filter(([, chosen]) => typeof chosen === "number")) });
  }

  const sliders = Object.fromEntries(
    ATTRIBUTES.map((name) => [name, attributeSlider(name, page.loaded.ranges[name], (value) => request(name, value))]),
  ) as Record<Attribute, AttributeSlider>;
  element("hand-sliders", HTMLElement).append(...ATTRIBUTES.map((name) => sliders[name].element));
  const seed = seedField("hand", (value) => change({ seed: value }));

  button("hand-reset").addEventListener("click", () => {
    for (const name of ATTRIBUTES) sliders[name].set(null);
    sliders.thickness.focus();
    change({ requested: {} });
  });
  field.addEventListener("input", () => {
    const valid = validText(field.value);
    markField(field, error, valid === null ? `Type up to ${LONGEST} digits and spaces.` : "");
    if (valid !== null) change({ text: valid });
  });

  return {
    read(parameters) {
      const requested: Requested = {};
      for (const name of ATTRIBUTES) {
        const value = parameters.number(name, ...page.loaded.ranges[name]);
        if (value !== null) requested[name] = value;
        sliders[name].set(value);
      }
      state = { seed: parameters.seed(1n), requested, text: parameters.read("text", TEXT, validText) };
      seed.set(state.seed);
      field.value = state.text;
      markField(field, error, "");
    },
    write: () => ({
      seed: String(state.seed),
      ...Object.fromEntries(Object.entries(state.requested).map(([name, value]) => [name, String(value)])),
      ...(state.text === TEXT ? {} : { text: state.text }),
    }),
    show: () => change({}),
  };
}

function validText(text: string): string | null {
  return text.length <= LONGEST && /^[0-9 ]*$/.test(text) ? text : null;
}

function described(requested: Requested): string {
  return Object.entries(requested)
    .map(([name, value]) => `, ${name} ${value}`)
    .join("");
}

function python({ seed, requested, text }: { seed: bigint; requested: Requested; text: string }): string {
  const chosen = Object.entries(requested).map(([name, value]) => `, ${name}=${value}`);
  if (chosen.length === 0) return `mnistgen.number("${text.trim() ? text : "0123456789"}", seed=${seed})`;
  return `mnistgen.Generator().decode(mnistgen.latents(${seed}).repeat(10, axis=0), labels=range(10)${chosen.join("")})`;
}
