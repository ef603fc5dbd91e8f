import { existsSync } from "node:fs";

import { defineConfig } from "@playwright/test";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium"; // if there is none, Playwright's own

export default defineConfig({
  testDir: "tests",
  testMatch: "page*.spec.ts",
  outputDir: "build/page-tests",
  workers: 1,
  retries: 1, // on a busy machine, a browser may be late; a test that needs it is listed as flaky
  timeout: 90_000,
  use: {
    launchOptions: {
      ...(existsSync(CHROMIUM) ? { executablePath: CHROMIUM } : {}),
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
    },
  },
});
