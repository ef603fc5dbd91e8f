/** The built page, used as a person would. Run `npm run build` first. */

import { expect } from "@playwright/test";

import { drag, inked, open, pixels, shown, test } from "./page-fixture";

test("first digits appear soon", async ({ page }) => {
  const started = Date.now();
  await page.goto("./");
  await shown(page, "1 all 1");
  const seconds = (Date.now() - started) / 1000;
  console.log(`first digits after ${seconds.toFixed(2)} s`);
  expect(seconds).toBeLessThan(15);
  await expect(page).toHaveTitle("mnistgen playground");
});

test("grid: seed, digit and truncation stand in the address, which reproduces them", async ({ page, baseURL }) => {
  await open(page);
  await page.getByRole("button", { name: "Fresh seed" }).click();
  const seed = await page.getByRole("textbox", { name: "Seed" }).inputValue();
  await shown(page, `${seed} all 1`);
  await expect(page).toHaveURL(`${baseURL}#grid?seed=${seed}`);
  await page.getByRole("textbox", { name: "Seed" }).fill("18446744073709551615");
  await page.locator("#grid-digit").getByLabel("7").check();
  await page.getByLabel("Truncation").fill("0.5");
  await shown(page, "18446744073709551615 7 0.5");
  await expect(page.locator("#grid-canvas")).toHaveAccessibleName(/^100 digits 7 of seed 18446744073709551615.*7 7$/);
  await expect(page.locator("#grid-python")).toHaveText(
    "mnistgen.generate(100, digit=7, seed=18446744073709551615, truncation=0.5)",
  );
  await expect(page).toHaveURL(`${baseURL}#grid?seed=18446744073709551615&digit=7&truncation=0.5`);
  const before = await pixels(page.locator("#grid-canvas"));
  await open(page, new URL(page.url()).hash);
  await shown(page, "18446744073709551615 7 0.5");
  expect(await pixels(page.locator("#grid-canvas"))).toBe(before);
});

test("hand: attributes, reset, next style and a number", async ({ page, baseURL }) => {
  await open(page, "#hand?seed=5");
  const ten = page.locator("#hand-ten canvas");
  await expect(ten).toHaveCount(10);
  await expect(page.getByText(/^\d\.\d pixels, measured$/).first()).toBeVisible();
  const before = await pixels(ten.first());
  await page.getByLabel("Thickness", { exact: true }).fill("4.5");
  await expect(page).toHaveURL(`${baseURL}#hand?seed=5&thickness=4.5`);
  await expect(page.locator("#hand-ten")).toHaveAccessibleName(/seed 5, thickness 4.5$/);
  expect(await pixels(ten.first())).not.toBe(before);
  await page.getByRole("button", { name: "Reset all four" }).click();
  await expect(page).toHaveURL(`${baseURL}#hand?seed=5`);
  await expect(page.locator("#hand-ten")).toHaveAccessibleName(/seed 5$/);
  expect(await pixels(ten.first())).toBe(before);
  await page.getByLabel("Number").fill("3 14159");
  await expect(page.locator("#hand-number canvas")).toHaveCount(7);
  expect(await inked(page.locator("#hand-number canvas"))).toEqual([true, false, true, true, true, true, true]);
  await page.getByLabel("Number").fill("pi");
  await expect(page.getByText("Type up to 24 digits and spaces.")).toBeVisible();
  await page.getByRole("button", { name: "Next style" }).click();
  await expect.poll(() => pixels(ten.first())).not.toBe(before);
});

test("walk: drag, arrow keys, corners; frames while dragging", async ({ page, baseURL }) => {
  await open(page, "#walk?seed=2&corners=1,2,3,4&at=0.25,0.75");
  const digit = page.locator("#walk-digit");
  await expect(digit).toHaveAttribute("data-shown", "0.25,0.75");
  await page.getByRole("application").press("ArrowRight");
  await expect(digit).toHaveAttribute("data-shown", "0.27,0.75");
  await page.getByRole("application").press("Shift+ArrowDown");
  await expect(page).toHaveURL(`${baseURL}#walk?seed=2&corners=1%2C2%2C3%2C4&at=0.27%2C0.85`);
  await page.getByLabel("Digit at the top left").selectOption("8");
  await expect(page.locator("#walk-python")).toContainText("walk((8, 2, 3, 4)");

  await page.evaluate(() => {
    const times: number[] = [];
    const frame = (time: number): void => void (times.push(time), requestAnimationFrame(frame));
    requestAnimationFrame(frame);
    Object.assign(globalThis, { times });
  });
  const around = Array.from({ length: 40 }, (_, k): [number, number] => [
    0.5 + 0.4 * Math.cos(k / 5),
    0.5 + 0.4 * Math.sin(k / 5),
  ]);
  await drag(page, page.locator("#walk-pad"), around);
  const gaps = await page.evaluate(() => {
    const { times } = globalThis as unknown as { times: number[] };
    return times
      .slice(1)
      .map((time, k) => time - times[k]!)
      .sort((a, b) => a - b);
  });
  const at = (share: number): string => gaps[Math.floor(share * (gaps.length - 1))]!.toFixed(1);
  console.log(`frames while dragging: ${gaps.length}, ms apart: median ${at(0.5)}, 95 % ${at(0.95)}, largest ${at(1)}`);
  expect(Number(at(0.5))).toBeLessThan(25);
  await drag(page, page.locator("#walk-pad"), [[0.5, 0.5], [1.2, -0.2]]); // prettier-ignore
  await expect(digit).toHaveAttribute("data-shown", "1,0");
});

test("how it works: pictures, figures and speed", async ({ page }) => {
  await open(page, "#how?seed=4");
  await expect(page.locator("#how-words")).toHaveText(/^First words: [0-9a-f]{16} [0-9a-f]{16} …$/);
  expect(await inked(page.locator("#how canvas"))).toEqual(Array(5).fill(true));
  await expect(page.locator("#how-figures")).toContainText("989,072");
  await expect(page.locator("#how-figures")).toContainText("1.04 MB");
  await expect(page.locator("#how-stages li")).toHaveCount(4);
  await page.getByRole("button", { name: "Measure the speed here" }).click();
  const speed = page.locator("#how-speed");
  await expect(speed).toHaveText(/digits a second/, { timeout: 60_000 });
  const text = (await speed.textContent())!;
  console.log(text);
  expect(Number(text.split(" ")[0]!.replaceAll(",", ""))).toBeGreaterThan(500);
});
