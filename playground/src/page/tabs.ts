/** Tabs as in the ARIA Authoring Practices: arrow keys, Home and End move and select. */

import { button, element } from "./elements";
import { TABS, type TabName } from "./address";

/** Connect the tabs; `selected` is called when a person selects one. */
export function startTabs(selected: (name: TabName) => void): { select(name: TabName): void } {
  const tabs = TABS.map((name) => ({ name, tab: button(`tab-${name}`), panel: element(name, HTMLElement) }));

  function select(chosen: TabName): void {
    for (const { name, tab, panel } of tabs) {
      tab.ariaSelected = String(name === chosen);
      tab.tabIndex = name === chosen ? 0 : -1;
      panel.hidden = name !== chosen;
    }
    button(`tab-${chosen}`).scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  tabs.forEach(({ name, tab }, index) => {
    tab.addEventListener("click", () => selected(name));
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const moves: Record<string, number> = {
        ArrowLeft: index > 0 ? index - 1 : last,
        ArrowRight: index < last ? index + 1 : 0,
        Home: 0,
        End: last,
      };
      const next = tabs[moves[event.key] ?? -1];
      if (!next) return;
      event.preventDefault();
      next.tab.focus();
      selected(next.name);
    });
  });
  return { select };
}
