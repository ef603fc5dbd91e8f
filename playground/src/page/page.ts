/** What a tab gets from the page, and what it offers. */

import type { Parameters } from "./address";
import type { Engine, Loaded } from "./engine";

export interface Page {
  engine: Engine;
  loaded: Loaded;
  /** The tab's state changed: write it into the address. */
  changed(): void;
  /** Tell a screen reader, politely. */
  say(text: string): void;
  /** Show an error above the tabs. */
  failed(error: unknown): void;
}

export interface Tab {
  /** Take the state from a link; what is missing gets its default. */
  read(parameters: Parameters): void;
  /** The state for a link, without defaults that a reader would expect. */
  write(): Record<string, string>;
  /** Draw the tab's state: called whenever the tab is shown or a link was read. */
  show(): void;
}
