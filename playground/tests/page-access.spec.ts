/** Keyboard, screen readers and screens. SCREENSHOTS: a folder for pictures of all tabs. */

import { tmpdir } from "node:os";
import { join } from "node:path";

import AxeBuilder from "@axe-core/playwright";
import { expect } from "@playwright/test";

import { open, PHONE, shown, TABS, test } from "./page-fixture";

const SHOTS = process.env["SCREENSHOTS"] ?? join(tmpdir(), "mnistgen-playground");

test("all tabs by keyboard, with no trap", async ({ page }) => {
  await open(page);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("tab", { name: "Grid" })).toBeFocused();
  for (const name of ["Hand", "Draw", "Walk", "How it works", "Grid"]) {
    await page.keyboard.press("ArrowRight");
    await expect(page.getByRole("tab", { name })).toBeFocused();
    await expect(page.getByRole("tabpanel", { name })).toBeVisible();
  }
  await page.keyboard.press("End");
  await expect(page).toHaveURL(/#how\?seed=1$/);
  await page.keyboard.press("Home");
  for (const name of TABS) {
    await page.getByRole("tab").nth(TABS.indexOf(name)).press("Tab");
    await expect(page.locator(`#${name}`)).toBeFocused();
    const reached = new Set<string>();
    for (let presses = 0; presses < 30; presses++) {
      await page.keyboard.press("Tab");
      const id = await page.evaluate(() => (document.activeElement as HTMLElement | null)?.id ?? "");
      if (!(await page.evaluate(() => document.activeElement?.closest("[role=tabpanel]")))) break;
      reached.add(id);
    }
    const expected = {
      grid: "grid-idx",
      hand: "hand-text",
      draw: "draw-example",
      walk: "walk-pad",
      how: "how-measure",
    };
    expect([...reached]).toContain(expected[name]);
    await page.getByRole("tab").nth(TABS.indexOf(name)).focus();
    await page.keyboard.press("ArrowRight");
  }
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`no accessibility violations, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const fragment of ["#grid", "#grid?seed=x", "#hand?slant=0.3", "#draw", "#walk", "#how"]) {
      await open(page, fragment);
      if (fragment === "#grid") await page.getByRole("textbox", { name: "Seed" }).fill("-1");
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(
        violations.map(({ id, nodes }) => `${fragment} ${id}: ${nodes.map(({ html }) => html).join(" ")}`),
      ).toEqual([]);
    }
  });
}

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: PHONE,
};
for (const [screen, options] of Object.entries(SCREENS)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${screen}, ${colorScheme}`, () => {
      test.use({ ...options, colorScheme });

      test("fits the screen", async ({ page }) => {
        for (const tab of TABS) {
          await open(page, `#${tab}`);
          if (tab === "grid") await shown(page, "1 all 1");
          if (tab === "draw") {
            await page.getByRole("button", { name: "Example" }).click();
            await expect(page.locator("#draw-message")).toHaveText("Read as 2.");
          }
          await page.waitForTimeout(300);
          const [width, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
          expect(width).toBeLessThanOrEqual(available!);
          await page.screenshot({ path: join(SHOTS, `${screen}-${colorScheme}-${tab}.png`), fullPage: true });
        }
      });
    });
  }
}
