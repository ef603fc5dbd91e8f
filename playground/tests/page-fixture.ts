/** What the tests of the page share: a server of dist/, and a test that watches the console and the network. */

import type { Server } from "node:http";
import { fileURLToPath } from "node:url";

import { type BrowserContext, expect, type Locator, type Page, test as base } from "@playwright/test";

import { serve } from "./server";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));

export const TABS = ["grid", "hand", "draw", "walk", "how"] as const;
export const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

interface Watched {
  errorsExpected: boolean;
  watched: void;
}

interface Served {
  served: { server: Server; address: string };
}

/** Every test fails for an error on the console and for a request to another origin, unless it expects errors. */
export const test = base.extend<Watched, Served>({
  served: [
    async ({}, use) => {
      const served = await serve(DIST);
      await use(served);
      served.server.closeAllConnections();
      served.server.close();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ served }, use) => use(served.address),
  errorsExpected: [false, { option: true }],
  watched: [
    async ({ context, errorsExpected, served }, use) => {
      const problems = watch(context, served.address);
      await use();
      expect(problems.foreign).toEqual([]);
      if (!errorsExpected) expect(problems.errors).toEqual([]);
    },
    { auto: true },
  ],
});

function watch(context: BrowserContext, address: string): { errors: string[]; foreign: string[] } {
  const problems = { errors: [] as string[], foreign: [] as string[] };
  context.on("request", (request) => {
    const own = request.url().startsWith(address) || /^(blob|data):/.test(request.url());
    if (!own) problems.foreign.push(request.url());
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.errors.push(message.text());
  });
  context.on("weberror", (error) => problems.errors.push(error.error().message));
  return problems;
}

/** Open a link and wait until its tab is drawn. */
export async function open(page: Page, fragment = ""): Promise<void> {
  await page.goto("about:blank");
  await page.goto(`./${fragment}`);
  await expect(page.locator("#loading")).toBeHidden({ timeout: 30_000 });
}

/** Wait until the grid shows "seed digit truncation". */
export const shown = (page: Page, text: string): Promise<void> =>
  expect(page.locator("#grid-canvas")).toHaveAttribute("data-shown", text);

/** The pixels of a canvas, as text. */
export function pixels(canvas: Locator): Promise<string> {
  return canvas.evaluate((element: HTMLCanvasElement) => element.toDataURL());
}

/** Wait until a canvas and the address, which is written with a delay, stay the same for half a second. */
export async function settled(page: Page, canvas: Locator): Promise<void> {
  const state = async (): Promise<string> => page.url() + (await pixels(canvas));
  await expect
    .poll(async () => {
      const before = await state();
      await page.evaluate(() => new Promise((done) => setTimeout(done, 500)));
      return (await state()) === before;
    })
    .toBe(true);
}

/** Whether there is any ink on each canvas. */
export async function inked(canvases: Locator): Promise<boolean[]> {
  return canvases.evaluateAll((elements) =>
    elements.map((element) => {
      const { width, height } = element as HTMLCanvasElement;
      const { data } = (element as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
      return data.some((value, index) => index % 4 === 3 && value > 0);
    }),
  );
}

/** Drag with the mouse along points, in shares of the width and height of an element. */
export async function drag(page: Page, target: Locator, path: [number, number][]): Promise<void> {
  const box = (await target.boundingBox())!;
  const at = ([x, y]: [number, number]): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(path[0]!));
  await page.mouse.down();
  for (const point of path.slice(1)) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up();
}
