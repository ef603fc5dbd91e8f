/** Digits on canvases: white ink, its grey level as opacity. pictures.css inverts it on light paper. */

import { make } from "./elements";

export const SIDE = 28;
const PIXELS = SIDE * SIDE;

/** Tile images uint8 (n * 784) into one canvas, row by row, with a margin around each. */
export function paintSheet(target: HTMLCanvasElement, images: Uint8Array, columns: number, margin: number): void {
  const count = images.length / PIXELS;
  const cell = SIDE + 2 * margin;
  resize(target, columns * cell, Math.ceil(count / columns) * cell);
  const sheet = new ImageData(target.width, target.height);
  const pixels = new Uint32Array(sheet.data.buffer);
  for (let index = 0; index < count; index++) {
    const left = (index % columns) * cell + margin;
    const top = Math.floor(index / columns) * cell + margin;
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++)
        // Bytes red, green, blue, opacity, on the little-endian machines that browsers run on.
        pixels[(top + y) * target.width + left + x] = (images[index * PIXELS + y * SIDE + x]! << 24) | 0xffffff;
  }
  target.getContext("2d")!.putImageData(sheet, 0, 0);
}

/** One canvas for each image; null leaves a gap. */
export function paintEach(target: HTMLElement, images: (Uint8Array | null)[]): void {
  while (target.childElementCount > images.length) target.lastElementChild?.remove();
  while (target.childElementCount < images.length) target.append(make("canvas", { width: SIDE, height: SIDE }));
  images.forEach((image, index) =>
    paintSheet(target.children[index] as HTMLCanvasElement, image ?? new Uint8Array(PIXELS), 1, 0),
  );
}

/** Images uint8 (n * 784), one by one. */
export function split(images: Uint8Array): Uint8Array[] {
  return Array.from({ length: images.length / PIXELS }, (_, index) =>
    images.subarray(index * PIXELS, (index + 1) * PIXELS),
  );
}

/** A canvas with the ink on black, as MNIST has it. */
export function onBlack(ink: HTMLCanvasElement): HTMLCanvasElement {
  const picture = make("canvas", { width: ink.width, height: ink.height });
  const context = picture.getContext("2d")!;
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(ink, 0, 0);
  return picture;
}

function resize(target: HTMLCanvasElement, width: number, height: number): void {
  if (target.width !== width) target.width = width;
  if (target.height !== height) target.height = height;
}
