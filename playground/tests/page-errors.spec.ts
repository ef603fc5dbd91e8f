/** Without a network, and with damaged links and files. */

import { expect } from "@playwright/test";

import { open, shown, test } from "./page-fixture";

test("offline after the first load", async ({ page, context, served }) => {
  await open(page);
  await expect(page.getByText("The page is stored, and works offline now.")).toBeVisible({ timeout: 30_000 });
  await context.setOffline(true);
  served.server.closeAllConnections();
  await page.getByRole("tab", { name: "Draw" }).click();
  await page.getByRole("button", { name: "Example" }).click();
  await expect(page.locator("#draw-message")).toHaveText("Read as 2.");
  await open(page, "#hand?seed=9&thickness=3");
  await expect(page.locator("#hand-ten canvas")).toHaveCount(10);
  await open(page, "#draw");
  await page.getByRole("button", { name: "Example" }).click();
  await expect(page.locator("#draw-message")).toHaveText("Read as 2.");
});

test.describe("errors are a sentence on the page", () => {
  test.use({ serviceWorkers: "block", errorsExpected: true });

  test("a seed that is no number", async ({ page }) => {
    await open(page);
    for (const seed of ["seven", "-1", "1.5", "18446744073709551616", ""]) {
      await page.getByRole("textbox", { name: "Seed" }).fill(seed);
      await expect(page.getByText("A seed is a whole number from 0 to 18446744073709551615.")).toBeVisible();
      await expect(page.getByRole("textbox", { name: "Seed" })).toHaveAttribute("aria-invalid", "true");
    }
    await page.getByRole("textbox", { name: "Seed" }).fill("7");
    await expect(page.getByText("A seed is a whole number")).toBeHidden();
    await shown(page, "7 all 1");
  });

  const LINKS: [link: string, sentence: string][] = [
    ["#grid?seed=x&digit=12", "This link is damaged (seed, digit); defaults are shown instead."],
    ["#grid?seed=1&truncation=1e9", "This link is damaged (truncation); defaults are shown instead."],
    ["#hand?slant=left&text=a", "This link is damaged (slant, text); defaults are shown instead."],
    ["#draw?strokes=%C3%A4", "This link is damaged (strokes); defaults are shown instead."],
    ["#draw?strokes=_w", "This link is damaged (strokes); defaults are shown instead."],
    ["#walk?corners=1,2,3&at=0.5", "This link is damaged (at, corners); defaults are shown instead."],
    ["#how?sead=3", "This link is damaged (sead); defaults are shown instead."],
    ["#nowhere?seed=3", "This link names no tab of this page; the first one is shown."],
    ["#grid?seed=%", "This link is damaged (seed); defaults are shown instead."],
  ];
  test("damaged links", async ({ page }) => {
    await open(page);
    for (const [link, sentence] of LINKS) {
      await page.evaluate((hash) => (location.hash = hash), link);
      await expect(page.locator("#notice")).toContainText(sentence);
      await expect(page.getByRole("tabpanel")).toBeVisible();
    }
    await page.getByRole("button", { name: "Close" }).click();
    await expect(page.locator("#notice")).toBeHidden();
  });

  const FAULTS: [fault: string, path: string, change: (body: Buffer) => Buffer | number | null, sentence: RegExp][] = [
    [
      "a model file that is blocked",
      "model.onnx",
      () => null,
      /^model\.onnx: cannot be downloaded; check the connection/,
    ],
    ["a model file that is missing", "model.onnx", () => 404, /^model\.onnx: not found/],
    ["a model file that is damaged", "model.onnx", flipped, /^model\.onnx: the file is damaged/],
    ["a card that is damaged", "card.json", (body) => body.subarray(0, 99), /^card\.json: the file is damaged/],
    ["an engine that is missing", "*.wasm", () => 404, /onnxruntime cannot load it/],
    ["no worker", "worker.js", () => 404, /^The model's worker failed; reload the page/],
    [
      "no WebAssembly SIMD",
      "worker.js",
      (body) => Buffer.concat([Buffer.from("WebAssembly.validate = () => false;\n"), body]),
      /^This browser lacks WebAssembly SIMD; use a current version of/,
    ],
  ];
  for (const [fault, path, change, sentence] of FAULTS) {
    test(fault, async ({ page }) => {
      await page.route(`**/${path}`, async (route) => {
        const response = await route.fetch();
        const changed = change(await response.body());
        if (changed === null) await route.abort();
        else if (typeof changed === "number") await route.fulfill({ status: changed });
        else await route.fulfill({ response, body: changed });
      });
      await page.goto("./");
      await expect(page.locator("#failure p")).toHaveText(sentence, { timeout: 30_000 });
      await expect(page.getByRole("button", { name: "Reload" })).toBeVisible();
      await expect(page.locator("#loading")).toBeHidden();
    });
  }
});

function flipped(body: Buffer): Buffer {
  body[body.length >> 1]! ^= 1;
  return body;
}
