/** How it works: every step from a seed to a digit and back, with live data, and the measured figures. */

import { seedField } from "./controls";
import { button, canvas, element, make } from "./elements";
import { latest } from "./latest";
import type { Page, Tab } from "./page";
import { drawEncoder, drawGreyLevels, drawLatents, drawNetwork, drawTraining } from "./pictures";
import { describeStages, figures } from "./figures";
import type { Steps } from "./calls";

const MEASURED = 4096; // digits whose generation is timed

export function startHow(page: Page): Tab {
  let seed = 1n;
  let steps: Steps | null = null;
  const { card, bytes } = page.loaded;

  const show = latest(async (given: bigint) => {
    steps = await page.engine.call("steps", { seed: given });
    draw(steps);
    write(steps, given);
    page.say(`The steps from seed ${given} to a ${steps.label}`);
  }, page.failed);

  function draw({ latents, label, image, encoded, reconstruction }: Steps): void {
    drawLatents(canvas("how-latents"), latents);
    drawNetwork(canvas("how-network"), latents, label, image);
    drawGreyLevels(canvas("how-grey"), image);
    drawEncoder(canvas("how-encoder"), latents, encoded, image, reconstruction);
    drawTraining(canvas("how-training"), image, latents);
  }

  function write({ words, latents, label, image, encoded, read, reconstruction }: Steps, given: bigint): void {
    canvas("how-latents").ariaLabel = `${latents.length} latents of seed ${given}, digit 0, as coloured squares`;
    canvas("how-network").ariaLabel = `Latents and the label ${label} enter a network, which draws a ${label}`;
    canvas("how-grey").ariaLabel =
      `The digit, one row of it marked, and a bar for the grey level of each pixel in that row`;
    canvas("how-encoder").ariaLabel =
      `Each of the ${latents.length} latents as a point: drawn and as the encoder reads it; beside them the reconstruction`;
    canvas("how-training").ariaLabel = "Four stages of training, one after the other";
    element("how-words", HTMLElement).textContent = `First words: ${words.slice(0, 2).join(" ")} …`;
    element("how-latent-count", HTMLElement).textContent = String(latents.length);
    element("how-network-text", HTMLElement).textContent =
      `The latents select the handwriting, the label the digit: here ${label}. ${card.parameters.toLocaleString("en")} ` +
      `weights of 8 bits, ${(card.multiply_adds / 1e6).toFixed(2)} million multiply-adds for each image.`;
    element("how-encoder-text", HTMLElement).textContent =
      `A second network reads latents and label from pixels: here a ${read}. Its latents decode to the digit on the ` +
      `right, ${difference(image, reconstruction).toFixed(1)} grey levels off on average. Other latents can give nearly ` +
      `the same digit: those drawn and those read correlate by ${correlation(latents, encoded).toFixed(2)}.`;
  }

  for (const { name, value, remark } of figures(card, bytes)) {
    const content = make("dd", {}, value, make("small", {}, remark));
    element("how-figures", HTMLElement).append(make("div", {}, make("dt", {}, name), content));
  }
  element("how-stages", HTMLElement).append(...describeStages(card).map((stage) => make("li", {}, stage)));

  const measure = button("how-measure");
  measure.addEventListener("click", () => {
    const output = element("how-speed", HTMLElement);
    output.textContent = "Measuring …";
    page.engine.call("speed", { n: MEASURED }).then(({ digitsPerSecond }) => {
      output.textContent = `${Math.round(digitsPerSecond).toLocaleString("en")} digits a second, on one core of this device.`;
    }, page.failed);
  });

  const field = seedField("how", (value) => {
    seed = value;
    show(seed);
    page.changed();
  });
  const redraw = (): void => {
    if (steps && !element("how", HTMLElement).hidden) draw(steps);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", redraw);

  return {
    read(parameters) {
      seed = parameters.seed(1n);
      field.set(seed);
    },
    write: () => ({ seed: String(seed) }),
    show() {
      show(seed);
      page.changed();
    },
  };
}

/** The mean difference of two images, in grey levels. */
function difference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, level, pixel) => sum + Math.abs(level - b[pixel]!), 0) / a.length;
}

function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [aa, bb, ab] = [0, 0, 0];
  a.forEach((value, k) => {
    const [x, y] = [value - meanA, b[k]! - meanB];
    [aa, bb, ab] = [aa + x * x, bb + y * y, ab + x * y];
  });
  return ab / Math.sqrt(aa * bb || 1);
}
