/** Downloads. PYTHON: an interpreter with NumPy, and mnistgen if it shall compare, that reads the files. */

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";

import { expect } from "@playwright/test";

import { unzip } from "./archive";
import { open, shown, test } from "./page-fixture";

function checkedByPython(script: string, file: string): void {
  const python = process.env["PYTHON"];
  if (python) execFileSync(python, ["-c", script, file], { stdio: "inherit" });
}

test("grid: downloads", async ({ page }, info) => {
  await open(page, "#grid?seed=3");
  await shown(page, "3 all 1");
  const file = async (name: string): Promise<string> => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    const path = info.outputPath(download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };

  const png = await readFile(await file("This grid as PNG"));
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([320, 320]);

  await page.getByRole("textbox", { name: "Digits" }).fill("2,500");
  const npz = await file("NPZ");
  expect(npz).toMatch(/digits-seed-3-2500\.npz$/);
  const arrays = unzip(await readFile(npz));
  expect([...arrays.keys()]).toEqual(
    ["images", "labels", "model", "sha256", "seed", "start"].map((name) => `${name}.npy`),
  );
  checkedByPython(
    `
import sys, numpy as np
file = np.load(sys.argv[1], allow_pickle=False)
assert file["images"].shape == (2500, 28, 28) and file["images"].dtype == np.uint8
assert file["labels"].shape == (2500,) and file["labels"].dtype == np.int64
assert (str(file["model"]), int(file["seed"]), int(file["start"])) == ("digits", 3, 0) and len(str(file["sha256"])) == 64
assert file["seed"].dtype == np.uint64 and file["start"].dtype == np.int64
try:
    import mnistgen
except ImportError:
    sys.exit()
images, labels = mnistgen.generate_labelled(2500, seed=3)
assert (labels == file["labels"]).all()
difference = np.abs(images.astype(int) - file["images"])
print("pixels as in Python:", (difference == 0).mean(), "largest difference:", difference.max())
assert difference.mean() < 1
`,
    npz,
  );

  const idx = await file("IDX");
  const files = unzip(await readFile(idx));
  const images = files.get("train-images-idx3-ubyte")!;
  expect([0, 4, 8, 12].map((at) => images.readUInt32BE(at))).toEqual([2051, 2500, 28, 28]);
  const labels = files.get("train-labels-idx1-ubyte")!;
  expect([0, 4].map((at) => labels.readUInt32BE(at))).toEqual([2049, 2500]);
  expect([images.length, labels.length]).toEqual([16 + 2500 * 784, 8 + 2500]);
  checkedByPython("import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None", idx);
});

test("grid: a large download shows its progress and can be cancelled", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "NPZ" }).click();
  await expect(page.locator("#grid-progress-text")).toHaveText(/^[1-9]\d?,000 of 60,000 digits$/, { timeout: 20_000 });
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("#grid-progress")).toBeHidden();
  await expect(page.getByRole("button", { name: "NPZ" })).toBeEnabled();
  await expect(page.locator("#failure")).toBeHidden();
  await page.getByRole("textbox", { name: "Digits" }).fill("60001");
  await page.getByRole("button", { name: "IDX" }).click();
  await expect(page.getByText("Choose 1 to 60,000 digits.")).toBeVisible();
});
