/** Pen strokes: points on a square of 256 x 256, drawn as smooth lines, and kept in a link. */

export const SIZE = 256;
const PEN = (2.8 / 28) * SIZE; // about MNIST's stroke thickness, for a digit that fills its 20 x 20 box
const SPACING = 2; // points closer than this are dropped
const LONGEST = 255; // points of a stroke in a link; longer strokes continue in the next
const MOST = 6000; // points

export type Stroke = [x: number, y: number][];

/** Add a point to a stroke, unless it is too close to the last one. */
export function addPoint(stroke: Stroke, x: number, y: number): void {
  const point: [number, number] = [clamped(x), clamped(y)];
  const last = stroke.at(-1);
  if (!last || Math.hypot(point[0] - last[0], point[1] - last[1]) >= SPACING) stroke.push(point);
}

function clamped(value: number): number {
  return Math.min(SIZE - 1, Math.max(0, Math.round(value)));
}

/** Draw strokes in white, with curves through the midpoints between points. */
export function paintStrokes(context: CanvasRenderingContext2D, strokes: readonly Stroke[]): void {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  context.save();
  context.scale(width / SIZE, height / SIZE);
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = "#fff";
  for (const stroke of strokes) {
    const [first, ...others] = stroke;
    if (!first) continue;
    context.beginPath();
    context.moveTo(...first);
    others.forEach(([x, y], index) => {
      const [nextX, nextY] = others[index + 1] ?? [x, y];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    });
    if (others.length === 0) context.lineTo(...first);
    context.stroke();
  }
  context.restore();
}

/** Strokes as URL-safe text: for each, a byte with the number of points, then two bytes a point, in base64. */
export function encodeStrokes(strokes: readonly Stroke[]): string {
  const bytes = strokes.flatMap((stroke) => parts(stroke).flatMap((part) => [part.length, ...part.flat()]));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=/g, "");
}

/** A stroke in parts of at most LONGEST points; each begins with the last point of the one before. */
function parts(stroke: Stroke): Stroke[] {
  const found: Stroke[] = [];
  for (let first = 0; first === 0 || first < stroke.length - 1; first += LONGEST - 1) {
    found.push(stroke.slice(first, first + LONGEST));
  }
  return found;
}

/** The strokes of a link; null if it is damaged. */
export function decodeStrokes(text: string): Stroke[] | null {
  let bytes: number[];
  try {
    bytes = [...atob(text.replace(/-/g, "+").replace(/_/g, "/"))].map((character) => character.charCodeAt(0));
  } catch {
    return null;
  }
  const strokes: Stroke[] = [];
  for (let at = 0; at < bytes.length;) {
    const count = bytes[at++]!;
    if (count === 0 || at + 2 * count > bytes.length) return null;
    const start = at;
    strokes.push(Array.from({ length: count }, (_, k) => [bytes[start + 2 * k]!, bytes[start + 2 * k + 1]!]));
    at += 2 * count;
  }
  return bytes.length <= 2 * MOST ? strokes : null;
}

/** Whether there are as many points as a link can hold. */
export function full(strokes: readonly Stroke[]): boolean {
  return strokes.reduce((sum, stroke) => sum + stroke.length + 1, 0) >= MOST - LONGEST;
}

/** Digits for people who cannot draw here: 2, 4, 7 and 3. */
export const EXAMPLES: readonly (readonly Stroke[])[] = [
  [[[82, 88], [96, 60], [128, 48], [160, 60], [168, 88], [152, 124], [120, 160], [88, 196], [84, 204], [100, 198], [124, 200], [152, 208], [184, 200]]],
  [[[100, 52], [88, 92], [80, 132], [92, 144], [128, 142], [172, 134]], [[160, 60], [154, 108], [146, 164], [140, 212]]],
  [[[76, 72], [112, 66], [152, 62], [176, 62], [168, 92], [146, 134], [128, 176], [116, 212]], [[100, 140], [132, 136], [166, 132]]],
  [[[88, 72], [112, 52], [144, 52], [160, 76], [144, 108], [116, 122], [148, 128], [172, 156], [160, 192], [124, 208], [88, 196]]],
]; // prettier-ignore
