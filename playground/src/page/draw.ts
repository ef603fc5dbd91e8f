/** Draw: a drawing, normalised as MNIST's digits are, read by the encoder, and all ten digits in its style. */

import { button, canvas, element } from "./elements";
import { latest } from "./latest";
import type { Page, Tab } from "./page";
import { paintEach, paintSheet, split } from "./paint";
import { addPoint, decodeStrokes, encodeStrokes, EXAMPLES, full, paintStrokes, SIZE, type Stroke } from "./strokes";

const GREY_SIDE = 168; // pixels of the drawing that is normalised: six for each of MNIST's
const CROWDED = 0.75; // share of ink in the 20 x 20 box, from which on nothing can be read

export function startDraw(page: Page): Tab {
  let strokes: Stroke[] = [];
  let pointer: number | null = null;
  let example = 0;
  const surface = canvas("draw-surface");
  const pictures = [canvas("draw-normalised"), canvas("draw-reconstruction")] as const;
  const ten = element("draw-ten", HTMLElement);
  const message = element("draw-message", HTMLElement);

  const read = latest(async (drawing: Stroke[]) => {
    const reading = await page.engine.call("drawing", { grey: greyLevels(drawing), side: GREY_SIDE });
    const crowded = reading !== null && reading.ink > CROWDED;
    const shown = crowded ? null : reading;
    paintPicture(pictures[0], reading?.normalised, "Your digit, 28 by 28 pixels");
    paintPicture(pictures[1], shown?.reconstruction, `Its reconstruction: a ${shown?.label}`);
    paintEach(ten, shown ? split(shown.ten) : Array<null>(10).fill(null));
    ten.ariaLabel = shown ? "The digits 0 to 9 in your hand" : "Empty";
    message.textContent = crowded
      ? "Too much ink to read: clear, and draw one digit."
      : shown
        ? `Read as ${shown.label}.`
        : "Draw a digit.";
    if (pointer === null) page.say(message.textContent);
  }, page.failed);

  function change(): void {
    paintStrokes(sharpContext(surface), strokes);
    surface.ariaLabel = `Drawing surface, ${described(strokes.length)}`;
    button("draw-undo").disabled = button("draw-clear").disabled = strokes.length === 0;
    read(strokes);
    if (pointer === null) page.changed();
  }

  function add(event: PointerEvent): void {
    const stroke = strokes.at(-1);
    if (!stroke || full(strokes)) return;
    const { left, top, width, height } = surface.getBoundingClientRect();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY } of events.length ? events : [event]) {
      addPoint(stroke, ((clientX - left) / width) * SIZE, ((clientY - top) / height) * SIZE);
    }
    change();
  }

  surface.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    surface.setPointerCapture(pointer);
    strokes.push([]);
    add(event);
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) add(event);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    surface.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      change();
    });
  }

  function undo(): void {
    strokes.pop();
    change();
    if (strokes.length === 0) button("draw-example").focus();
  }
  button("draw-undo").addEventListener("click", undo);
  button("draw-clear").addEventListener("click", () => {
    strokes = [];
    change();
    button("draw-example").focus();
  });
  button("draw-example").addEventListener("click", () => {
    strokes = EXAMPLES[example++ % EXAMPLES.length]!.map((stroke) => [...stroke]);
    change();
  });
  document.addEventListener("keydown", (event) => {
    const here = !element("draw", HTMLElement).hidden && pointer === null && strokes.length > 0;
    if (here && event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
      event.preventDefault();
      undo();
    }
  });
  new ResizeObserver(() => paintStrokes(sharpContext(surface), strokes)).observe(surface);

  return {
    read(parameters) {
      strokes = parameters.read<Stroke[]>("strokes", [], decodeStrokes);
    },
    write: (): Record<string, string> => (strokes.length ? { strokes: encodeStrokes(strokes) } : {}),
    show: change,
  };
}

function described(count: number): string {
  return count === 0 ? "empty" : count === 1 ? "1 stroke" : `${count} strokes`;
}

function paintPicture(target: HTMLCanvasElement, image: Uint8Array | undefined, label: string): void {
  paintSheet(target, image ?? new Uint8Array(28 * 28), 1, 0);
  target.ariaLabel = image ? label : "Empty";
}

/** The context of a canvas with as many pixels as it has on the screen. */
function sharpContext(target: HTMLCanvasElement): CanvasRenderingContext2D {
  const side = Math.max(1, Math.round(target.clientWidth * devicePixelRatio));
  if (target.width !== side) target.width = target.height = side;
  return target.getContext("2d")!;
}

let small: CanvasRenderingContext2D | null = null;

/** Grey levels uint8 (GREY_SIDE * GREY_SIDE) of strokes, ink 255. */
function greyLevels(strokes: readonly Stroke[]): Uint8Array {
  if (!small) {
    const made = document.createElement("canvas");
    made.width = made.height = GREY_SIDE;
    small = made.getContext("2d", { willReadFrequently: true })!;
  }
  paintStrokes(small, strokes);
  const { data } = small.getImageData(0, 0, GREY_SIDE, GREY_SIDE);
  return Uint8Array.from({ length: GREY_SIDE * GREY_SIDE }, (_, pixel) => data[4 * pixel + 3]!);
}
