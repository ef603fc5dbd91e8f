/** Walk: a point between four digits. */

import { number } from "./address";
import { seedField } from "./controls";
import { canvas, element, make } from "./elements";
import { latest } from "./latest";
import type { Page, Tab } from "./page";
import { paintSheet } from "./paint";

const PLACES = ["top left", "top right", "bottom left", "bottom right"] as const;
const CORNERS = [3, 5, 8, 9];
const SIDE = 9; // digits in a row of the map
const STEP = 0.02; // of the side, for one press of an arrow key; with Shift five times as much

interface State {
  seed: bigint;
  corners: number[];
  right: number; // 0 to 1
  down: number; // 0 to 1
}

export function startWalk(page: Page): Tab {
  let state: State = { seed: 1n, corners: CORNERS, right: 0.5, down: 0.5 };
  const pad = element("walk-pad", HTMLElement);
  const point = element("walk-point", HTMLElement);
  const digit = canvas("walk-digit");
  const caption = element("walk-at", HTMLElement);

  const showDigit = latest(async (given: State) => {
    const { seed, corners, right, down } = given;
    const { images } = await page.engine.call("walk", { seed, corners, points: [right, down] });
    paintSheet(digit, images, 1, 0);
    digit.ariaLabel = `A digit between ${corners.join(", ")}: ${caption.textContent}`;
    digit.dataset["shown"] = `${right},${down}`;
  }, page.failed);

  const showMap = latest(async ({ seed, corners }: State) => {
    const points = Array.from({ length: SIDE * SIDE }, (_, k) => [
      (k % SIDE) / (SIDE - 1),
      Math.floor(k / SIDE) / (SIDE - 1),
    ]);
    const { images } = await page.engine.call("walk", { seed, corners, points: points.flat() });
    paintSheet(canvas("walk-map"), images, SIDE, 0);
  }, page.failed);

  function change(part: Partial<State>, map: boolean): void {
    state = { ...state, ...part };
    // The centres of the map's first and last digits are the ends of both ways.
    point.style.left = `${(100 * (0.5 + state.right * (SIDE - 1))) / SIDE}%`;
    point.style.top = `${(100 * (0.5 + state.down * (SIDE - 1))) / SIDE}%`;
    caption.textContent = mixture(state);
    element("walk-python", HTMLElement).textContent =
      `mnistgen.Generator().walk((${state.corners.join(", ")}), rows=${SIDE}, columns=${SIDE}, seed=${state.seed})`;
    showDigit(state);
    if (map) showMap(state);
    page.changed();
  }

  function moveTo(right: number, down: number): void {
    change({ right: share(right), down: share(down) }, false);
  }

  function follow({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = pad.getBoundingClientRect();
    const along = (at: number): number => (at * SIDE - 0.5) / (SIDE - 1);
    moveTo(along((clientX - left) / width), along((clientY - top) / height));
  }

  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    follow(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) follow(event);
  });
  pad.addEventListener("keydown", (event) => {
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP],
      ArrowDown: [0, STEP],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const factor = event.shiftKey ? 5 : 1;
    moveTo(state.right + factor * move[0], state.down + factor * move[1]);
  });
  pad.addEventListener("keyup", () => page.say(mixture(state)));

  const seed = seedField("walk", (value) => change({ seed: value }, true));
  const choices = PLACES.map((place, corner) => {
    const choice = make("select", { id: `walk-corner-${corner}`, ariaLabel: `Digit at the ${place}` });
    choice.append(...[...Array(10).keys()].map((label) => make("option", { value: String(label) }, String(label))));
    choice.addEventListener("change", () => {
      change({ corners: choices.map(({ value }) => Number(value)) }, true);
    });
    element(corner < 2 ? "walk-top" : "walk-bottom", HTMLElement).append(choice);
    return choice;
  });

  return {
    read(parameters) {
      const [right, down] = parameters.read("at", [0.5, 0.5], (text) => list(text, 2, (part) => number(part, 0, 1)));
      state = {
        seed: parameters.seed(1n),
        corners: parameters.read("corners", CORNERS, (text) =>
          list(text, 4, (part) => (/^\d$/.test(part) ? Number(part) : null)),
        ),
        right: right!,
        down: down!,
      };
      seed.set(state.seed);
      choices.forEach((choice, corner) => (choice.value = String(state.corners[corner])));
    },
    write: () => ({
      seed: String(state.seed),
      corners: state.corners.join(","),
      at: `${state.right},${state.down}`,
    }),
    show: () => change({}, true),
  };
}

/** From 0 to 1, with as many decimals as a link needs. */
function share(value: number): number {
  return Math.round(1000 * Math.min(1, Math.max(0, value))) / 1000;
}

/** `count` values between commas, or null. */
function list(text: string, count: number, parse: (part: string) => number | null): number[] | null {
  const values = text.split(",").map(parse);
  return values.length === count && values.every((value) => value !== null) ? (values as number[]) : null;
}

/** The weights of the labels, largest first: "64 % 3, 16 % 5". */
function mixture({ corners, right, down }: State): string {
  const weights = new Map<number, number>();
  const shares = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down];
  corners.forEach((digit, corner) => weights.set(digit, (weights.get(digit) ?? 0) + shares[corner]!));
  return [...weights]
    .filter(([, weight]) => weight >= 0.005)
    .sort((a, b) => b[1] - a[1])
    .map(([digit, weight]) => `${Math.round(100 * weight)}\u00a0%\u00a0of\u00a0${digit}`)
    .join(", ");
}
