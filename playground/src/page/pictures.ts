/** The small pictures of "How it works": 400 units wide, in the page's colours. */

const WIDTH = 400;
const HEIGHT = 200;
const SIDE = 28;
const EXTREME = 2.5; // latents from there on have the full colour

interface Colours {
  text: string;
  muted: string;
  line: string;
  accent: string;
}

interface Picture extends Colours {
  context: CanvasRenderingContext2D;
}

/** A cleared canvas, as sharp as the screen. */
function open(target: HTMLCanvasElement, height = HEIGHT): Picture {
  const width = Math.max(1, Math.round((target.clientWidth || WIDTH) * devicePixelRatio));
  target.width = width;
  target.height = Math.round((width * height) / WIDTH);
  const context = target.getContext("2d")!;
  context.scale(width / WIDTH, width / WIDTH);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return {
    context,
    text: colour("--text"),
    muted: colour("--muted"),
    line: colour("--line"),
    accent: colour("--accent"),
  };
}

/** Seed -> latents: a square for each, coloured by its value. */
export function drawLatents(target: HTMLCanvasElement, latents: Float32Array): void {
  const { context, accent, text, muted } = open(target);
  const columns = 16;
  const size = 22;
  const left = (WIDTH - columns * size) / 2;
  latents.forEach((latent, k) => {
    const x = left + (k % columns) * size;
    const y = 30 + Math.floor(k / columns) * size;
    context.globalAlpha = strength(latent);
    context.fillStyle = latent < 0 ? text : accent;
    context.fillRect(x + 1, y + 1, size - 2, size - 2);
  });
  context.globalAlpha = 1;
  const bottom = 30 + Math.ceil(latents.length / columns) * size + 24;
  context.textAlign = "center";
  context.fillStyle = muted;
  context.fillText("stronger: further from 0;  two colours: below and above 0", WIDTH / 2, bottom);
}

/** Latents and label -> network -> pixels. */
export function drawNetwork(target: HTMLCanvasElement, latents: Float32Array, label: number, image: Uint8Array): void {
  const picture = open(target);
  const { context, accent, line, muted, text } = picture;
  latents.forEach((latent, k) => {
    context.globalAlpha = strength(latent);
    context.fillStyle = latent < 0 ? text : accent;
    context.fillRect(14, 14 + (k * 118) / latents.length, 24, 118 / latents.length - 0.3);
  });
  context.globalAlpha = 1;
  for (let digit = 0; digit < 10; digit++) {
    context.fillStyle = digit === label ? accent : line;
    context.fillRect(14 + digit * 2.4, 146, 2, 24);
  }
  for (let layer = 0; layer < 4; layer++) {
    const x = 84 + layer * 38;
    context.strokeStyle = line;
    context.beginPath();
    for (let from = 0; from < 5; from++)
      for (let to = 0; to < 5; to++) {
        const [left, right] = [layer ? x - 26 : 42, x];
        context.moveTo(left, 24 + from * 34);
        context.lineTo(right, 24 + to * 34);
      }
    context.stroke();
    context.fillStyle = muted;
    context.fillRect(x, 14, 12, 156);
  }
  arrow(picture, 216, 92, 240);
  paintDigit(picture, image, 248, 20, 5);
  context.fillStyle = muted;
  context.textAlign = "center";
  context.fillText("input", 26, 186);
  context.fillText("four layers", 148, 186);
  context.fillText("784 pixels", 318, 186);
}

/** The grey levels of the row with the most changes. */
export function drawGreyLevels(target: HTMLCanvasElement, image: Uint8Array): void {
  const picture = open(target);
  const { context, accent, line, muted } = picture;
  const row = liveliestRow(image);
  paintDigit(picture, image, 14, 20, 5);
  context.strokeStyle = accent;
  context.lineWidth = 2;
  context.strokeRect(13, 19 + row * 5, 142, 7);
  const [left, bottom, bar] = [190, 160, 7];
  for (let x = 0; x < SIDE; x++) {
    const height = (image[row * SIDE + x]! / 255) * 130;
    context.fillStyle = accent;
    context.fillRect(left + x * bar, bottom - height, bar - 1, height);
  }
  context.fillStyle = line;
  context.fillRect(left, bottom, SIDE * bar, 1);
  context.fillRect(left, bottom - 130, SIDE * bar, 1);
  context.fillStyle = muted;
  context.textAlign = "right";
  context.fillText("255", left - 4, bottom - 130);
  context.fillText("0", left - 4, bottom);
  context.textAlign = "center";
  context.fillText(`row ${row}`, left + (SIDE * bar) / 2, 178);
}

/** Latents as drawn (across) and as the encoder reads them (up), and the reconstruction. */
export function drawEncoder(
  target: HTMLCanvasElement,
  latents: Float32Array,
  encoded: Float32Array,
  image: Uint8Array,
  reconstruction: Uint8Array,
): void {
  const picture = open(target);
  const { context, accent, line, muted } = picture;
  paintDigit(picture, image, 6, 44, 4);
  arrow(picture, 122, 100, 138);
  const [left, top, side] = [144, 36, 124];
  context.strokeStyle = line;
  context.strokeRect(left, top, side, side);
  context.beginPath();
  context.moveTo(left, top + side);
  context.lineTo(left + side, top);
  context.stroke();
  const at = (latent: number): number => 0.5 + Math.min(EXTREME, Math.max(-EXTREME, latent)) / (2.1 * EXTREME);
  context.fillStyle = accent;
  latents.forEach((latent, k) => {
    context.beginPath();
    context.arc(left + at(latent) * side, top + (1 - at(encoded[k]!)) * side, 2.5, 0, 2 * Math.PI);
    context.fill();
  });
  arrow(picture, 274, 100, 290);
  paintDigit(picture, reconstruction, 284, 44, 4);
  context.fillStyle = muted;
  context.textAlign = "center";
  context.fillText("drawn → read", left + side / 2, 176);
  context.fillText("digit", 62, 176);
  context.fillText("reconstruction", 340, 176);
}

/** The stages of training, as diagrams: two networks, a smaller one, two distributions, an encoder. */
export function drawTraining(target: HTMLCanvasElement, image: Uint8Array, latents: Float32Array): void {
  const picture = open(target, 100);
  const { context, accent, line, muted, text } = picture;
  context.fillStyle = accent;
  context.fillRect(8, 20, 28, 40);
  context.fillStyle = muted;
  context.fillRect(56, 20, 28, 40);
  arrow(picture, 39, 34, 53);
  arrow(picture, 53, 48, 39);

  context.fillStyle = line;
  context.fillRect(108, 12, 36, 56);
  arrow(picture, 148, 40, 164);
  context.fillStyle = accent;
  context.fillRect(168, 28, 18, 24);

  for (const [colour, x, turn] of [
    [muted, 248, -0.4],
    [accent, 254, -0.3],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    context.ellipse(x, 40, 36, 18, turn, 0, 2 * Math.PI);
    context.stroke();
  }

  paintDigit(picture, image, 304, 12, 2);
  arrow(picture, 358, 40, 372);
  latents.forEach((latent, k) => {
    context.globalAlpha = strength(latent);
    context.fillStyle = latent < 0 ? text : accent;
    context.fillRect(378, 12 + (k * 56) / latents.length, 14, 56 / latents.length);
  });
  context.globalAlpha = 1;
  context.fillStyle = muted;
  context.textAlign = "center";
  ["adversarial", "distillation", "fine-tuning", "encoder"].forEach((stage, index) =>
    context.fillText(`${index + 1}. ${stage}`, 48 + 101 * index, 88),
  );
}

/** The opacity of a latent's colour. */
function strength(latent: number): number {
  return 0.08 + (0.92 * Math.min(EXTREME, Math.abs(latent))) / EXTREME;
}

function paintDigit({ context, text }: Picture, image: Uint8Array, left: number, top: number, size: number): void {
  context.fillStyle = text;
  image.forEach((grey, pixel) => {
    if (grey === 0) return;
    context.globalAlpha = grey / 255;
    context.fillRect(left + (pixel % SIDE) * size, top + Math.floor(pixel / SIDE) * size, size, size);
  });
  context.globalAlpha = 1;
}

function arrow({ context, muted }: Picture, from: number, y: number, to: number): void {
  context.strokeStyle = muted;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(from, y);
  context.lineTo(to, y);
  const back = to - 5 * Math.sign(to - from);
  context.moveTo(back, y - 4);
  context.lineTo(to, y);
  context.lineTo(back, y + 4);
  context.stroke();
}

/** The row whose neighbouring pixels differ most. */
function liveliestRow(image: Uint8Array): number {
  const changes = Array.from({ length: SIDE }, (_, row) => {
    const levels = image.subarray(row * SIDE, (row + 1) * SIDE);
    return levels.reduce((sum, level, x) => sum + Math.abs(level - (levels[x - 1] ?? 0)), 0);
  });
  return changes.indexOf(Math.max(...changes));
}
