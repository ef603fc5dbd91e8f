/** A slider for an attribute, which is off until it is moved. */

import type { Attribute } from "../card";
import { make } from "./elements";

const UNITS: Record<Attribute, string> = { thickness: "pixels", slant: "radians", width: "pixels", height: "pixels" };
const STEPS: Record<Attribute, number> = { thickness: 0.05, slant: 0.01, width: 0.1, height: 0.1 };

export interface AttributeSlider {
  readonly element: HTMLElement;
  /** Request a value, or none. */
  set(value: number | null): void;
  /** What the digits measure, shown while nothing is requested. */
  measured(value: number): void;
  focus(): void;
}

export function attributeSlider(
  name: Attribute,
  [low, high]: readonly [number, number],
  changed: (value: number | null) => void,
): AttributeSlider {
  const step = STEPS[name];
  const digits = name === "slant" ? 2 : 1;
  const range = make("input", {
    type: "range",
    id: `hand-${name}`,
    min: String(Math.ceil(low / step) * step),
    max: String(Math.floor(high / step) * step),
    step: String(step),
  });
  const output = make("output");
  const reset = make("button", { type: "button", ariaLabel: `Reset ${name}` }, "Reset");
  const label = make("label", { htmlFor: range.id }, name[0]!.toUpperCase() + name.slice(1));
  const whole = make("div", { className: "slider off" }, label, output, reset, range);

  range.addEventListener("input", () => {
    const value = Number(range.valueAsNumber.toFixed(2));
    set(value);
    changed(value);
  });
  reset.addEventListener("click", () => {
    set(null);
    range.focus();
    changed(null);
  });

  function set(value: number | null): void {
    whole.classList.toggle("off", value === null);
    if (value !== null) write(value, "");
  }

  function write(value: number, remark: string): void {
    range.value = String(value);
    output.value = `${value.toFixed(digits)} ${UNITS[name]}${remark}`;
    range.setAttribute("aria-valuetext", output.value);
  }

  return {
    element: whole,
    set,
    measured: (value) => {
      if (whole.classList.contains("off") && Number.isFinite(value)) write(value, ", measured");
    },
    focus: () => range.focus(),
  };
}
