/** The page: tabs, their state in the address, errors, and the service worker. */

import { fragmentOf, parseFragment, type TabName, writeFragment } from "./address";
import { startDraw } from "./draw";
import { button, element, make } from "./elements";
import { Engine } from "./engine";
import { reloadAfresh, workOffline } from "./offline";
import { startGrid } from "./grid";
import { startHand } from "./hand";
import { startHow } from "./how";
import { startWalk } from "./walk";
import type { Page, Tab } from "./page";
import { startTabs } from "./tabs";

const STARTERS: Record<TabName, (page: Page) => Tab> = {
  grid: startGrid,
  hand: startHand,
  draw: startDraw,
  walk: startWalk,
  how: startHow,
};
const NEW_LINE = /\n[\s\S]*/;

function failed(error: unknown): void {
  const box = element("failure", HTMLElement);
  const text = (error instanceof Error ? error.message : String(error)).replace(NEW_LINE, "");
  const reload = make("button", { type: "button" }, "Reload");
  reload.addEventListener("click", () => void reloadAfresh());
  box.replaceChildren(make("p", {}, text), reload);
  box.hidden = false;
}

function notice(text: string): void {
  const box = element("notice", HTMLElement);
  const close = make("button", { type: "button" }, "Close");
  close.addEventListener("click", () => (box.hidden = true));
  box.replaceChildren(make("p", {}, text), close);
  box.hidden = !text;
}

async function start(): Promise<void> {
  document.documentElement.classList.add("running");
  const { engine, loaded } = await Engine.start();
  element("loading", HTMLElement).hidden = true;
  let current: TabName = "grid";
  const page: Page = {
    engine,
    loaded,
    changed: () => writeFragment(fragmentOf(current, tabs[current].write())),
    say: (text) => (element("status", HTMLElement).textContent = text),
    failed,
  };
  const tabs = Object.fromEntries(Object.entries(STARTERS).map(([name, starter]) => [name, starter(page)])) as Record<
    TabName,
    Tab
  >;
  const { select } = startTabs(open);

  function open(name: TabName): void {
    current = name;
    select(name);
    tabs[name].show();
  }

  function readAddress(): void {
    const { tab, parameters } = parseFragment(location.hash);
    current = tab ?? "grid";
    tabs[current].read(parameters);
    parameters.finish();
    const { problems } = parameters;
    const damaged =
      problems.length > 0 ? `This link is damaged (${problems.join(", ")}); defaults are shown instead.` : "";
    notice(tab ? damaged : "This link names no tab of this page; the first one is shown.");
    open(current);
  }

  const { parameters } = parseFragment("");
  for (const tab of Object.values(tabs)) tab.read(parameters);
  addEventListener("hashchange", readAddress);
  readAddress();
  await engine.idle(); // storing the files must not delay the first digits
  if (await workOffline()) element("offline", HTMLElement).textContent = "The page is stored, and works offline now.";
}

start().catch((error: unknown) => {
  element("loading", HTMLElement).hidden = true;
  for (const name of Object.keys(STARTERS)) button(`tab-${name}`).disabled = true;
  failed(error);
});
