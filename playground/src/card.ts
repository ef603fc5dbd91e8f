/** The parsed card.json of a model. */

import { DigitsError, shown } from "./errors";

export const ATTRIBUTES = ["thickness", "slant", "width", "height"] as const;

export type Attribute = (typeof ATTRIBUTES)[number];

/** Statistics of one attribute of a model's digits. */
export interface AttributeCard {
  readonly mean: number;
  readonly deviation: number;
  readonly ranges: readonly (readonly [number, number])[]; // from and to, by class
  readonly r2: number;
}

/** What the playground reads of a model card. */
export interface Card {
  readonly schema: number;
  readonly name: string;
  readonly summary: string;
  readonly classes: readonly string[] | null; // names of the labels
  readonly latent_dim: number;
  readonly parameters: number;
  readonly multiply_adds: number; // for one image
  readonly licence: string;
  readonly sha256: string; // of model.onnx
  readonly attributes: Readonly<Record<Attribute, AttributeCard>> & { readonly sha256: string };
  readonly encoder: { readonly sha256: string; readonly parameters: number; readonly multiply_adds: number };
  readonly quality?: { readonly figures?: Readonly<Record<string, { readonly mean: number }>> } | null;
}

const SCHEMA = 1;
const SHA256 = /^[0-9a-f]{64}$/;

/** The card in the bytes of card.json. Throws DigitsError. */
export function readCard(file: Uint8Array): Card {
  let card: Card;
  try {
    card = JSON.parse(new TextDecoder().decode(file)) as Card;
  } catch {
    throw new DigitsError("card.json: the file is damaged; reload the page");
  }
  if (card?.schema !== SCHEMA) {
    throw new DigitsError(`card.json: expected schema ${SCHEMA}, got ${shown(card?.schema)}`);
  }
  const complete =
    card.classes?.length === 10 &&
    Number.isInteger(card.latent_dim) &&
    [card.sha256, card.attributes?.sha256, card.encoder?.sha256].every((sum) => SHA256.test(sum)) &&
    ATTRIBUTES.every((name) => validAttribute(card.attributes[name]));
  if (!complete) {
    throw new DigitsError("card.json: expected a model of ten classes with attributes and an encoder");
  }
  return card;
}

function validAttribute(card: AttributeCard | undefined): boolean {
  return (
    card !== undefined &&
    Number.isFinite(card.mean) &&
    card.deviation > 0 &&
    card.ranges?.length === 10 &&
    card.ranges.flat().every(Number.isFinite)
  );
}
