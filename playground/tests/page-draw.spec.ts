/** Drawing with a mouse and a finger. */

import { expect } from "@playwright/test";

import { drag, inked, open, PHONE, pixels, settled, test } from "./page-fixture";

test("draw: a drawing is read as it is drawn; undo, clear, and too much ink", async ({ page }) => {
  await open(page, "#draw");
  const surface = page.locator("#draw-surface");
  const message = page.locator("#draw-message");
  await expect(message).toHaveText("Draw a digit.");
  await drag(page, surface, [[0.5, 0.15], [0.5, 0.5], [0.48, 0.85]]); // prettier-ignore
  await expect(message).toHaveText("Read as 1.");
  expect(await inked(page.locator("#draw-ten canvas"))).toEqual(Array(10).fill(true));
  await expect(page.locator("#draw-normalised")).toHaveAccessibleName("Your digit, 28 by 28 pixels");
  await drag(page, surface, [[0.1, 0.1], [0.9, 0.9]]); // prettier-ignore
  await expect(surface).toHaveAccessibleName("Drawing surface, 2 strokes");
  await page.keyboard.press("Control+z");
  await expect(surface).toHaveAccessibleName("Drawing surface, 1 stroke");
  await expect(page).toHaveURL(/#draw\?strokes=[\w-]+$/);
  await settled(page, page.locator("#draw-normalised"));
  const before = await pixels(page.locator("#draw-normalised"));
  await open(page, new URL(page.url()).hash);
  await expect(message).toHaveText("Read as 1.");
  await settled(page, page.locator("#draw-normalised"));
  expect(await pixels(page.locator("#draw-normalised"))).toBe(before);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(message).toHaveText("Draw a digit.");
  expect(await inked(page.locator("#draw-ten canvas"))).toEqual(Array(10).fill(false));

  const rows = Array.from({ length: 14 }, (_, row): [number, number][] => {
    const y = row / 13;
    return row % 2 ? [[1, y], [0, y]] : [[0, y], [1, y]]; // prettier-ignore
  });
  await drag(page, surface, rows.flat());
  await expect(message).toHaveText("Too much ink to read: clear, and draw one digit.");
  await page.getByRole("button", { name: "Clear" }).click();
  await expect(message).toHaveText("Draw a digit.");
  await page.getByRole("button", { name: "Example" }).click();
  await expect(message).toHaveText("Read as 2.");
});

test("draw: examples are read as drawn", async ({ page }) => {
  await open(page, "#draw");
  for (const digit of [2, 4, 7, 3]) {
    await page.getByRole("button", { name: "Example" }).click();
    await expect(page.locator("#draw-message")).toHaveText(`Read as ${digit}.`);
  }
});

test.describe("finger", () => {
  test.use(PHONE);

  test("draws without scrolling the page", async ({ page }) => {
    await open(page, "#draw");
    const surface = page.locator("#draw-surface");
    const box = (await surface.boundingBox())!;
    const session = await page.context().newCDPSession(page);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", y: number): Promise<unknown> =>
      session.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: type === "touchEnd" ? [] : [{ x: box.x + box.width / 2, y: box.y + y * box.height }],
      });
    await touch("touchStart", 0.15);
    for (let y = 0.2; y <= 0.85; y += 0.05) await touch("touchMove", y);
    await touch("touchEnd", 0);
    await expect(page.locator("#draw-message")).toHaveText("Read as 1.");
    expect(await page.evaluate(() => scrollY)).toBe(0);
  });
});
