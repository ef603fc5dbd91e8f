/** The address's fragment, `#tab?name=value&...`: it reproduces a tab and its state. */

import { parseSeed } from "../latents";

export const TABS = ["grid", "hand", "draw", "walk", "how"] as const;
export type TabName = (typeof TABS)[number];

/** The parameters of a link. Damaged ones are replaced by a valid value and reported in `problems`. */
export class Parameters {
  readonly problems: string[] = [];
  readonly #given: URLSearchParams;
  readonly #known = new Set<string>();

  constructor(text: string) {
    this.#given = new URLSearchParams(text);
  }

  /** The value of one parameter; `parse` throws or returns null if it is damaged. */
  read<T>(name: string, otherwise: T, parse: (text: string) => T | null): T {
    this.#known.add(name);
    const text = this.#given.get(name);
    if (text === null) return otherwise;
    try {
      const value = parse(text);
      if (value !== null) return value;
    } catch {
      // Reported below, like other damaged values.
    }
    this.problems.push(name);
    return otherwise;
  }

  seed(otherwise: bigint): bigint {
    return this.read("seed", otherwise, parseSeed);
  }

  number(name: string, low: number, high: number): number | null {
    return this.read<number | null>(name, null, (text) => number(text, low, high));
  }

  /** Report parameters that no tab reads. */
  finish(): void {
    for (const name of this.#given.keys()) if (!this.#known.has(name)) this.problems.push(name);
  }
}

/** A number from low to high, or null. */
export function number(text: string, low: number, high: number): number | null {
  const value = Number(text);
  return /^-?\d*\.?\d+$/.test(text) && value >= low && value <= high ? value : null;
}

/** The tab and the parameters of a fragment; tab is null if the fragment names none that exists. */
export function parseFragment(fragment: string): { tab: TabName | null; parameters: Parameters } {
  const [name = "", ...rest] = fragment.replace(/^#/, "").split("?");
  const tab = TABS.find((known) => known === (name || "grid")) ?? null;
  return { tab, parameters: new Parameters(tab ? rest.join("?") : "") };
}

export function fragmentOf(tab: TabName, parameters: Record<string, string>): string {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `#${[tab, pairs.join("&")].filter(Boolean).join("?")}`;
}

const PAUSE = 200; // ms: browsers limit how often a page may change its address

let pending: ReturnType<typeof setTimeout> | undefined;

/** Write the fragment into the address, without a new entry in the history, once changes pause. */
export function writeFragment(fragment: string): void {
  clearTimeout(pending);
  pending = setTimeout(() => history.replaceState(null, "", fragment), PAUSE);
}
