/** The measured figures and the training stages of a model card, in words. */

import type { Card } from "../card";

interface Figure {
  name: string;
  value: string;
  remark: string;
}

/** Figures of a model whose network takes `bytes`. */
export function figures(card: Card, bytes: number): Figure[] {
  const measured = card.quality?.figures ?? {};
  const known = (key: string, text: (mean: number) => string): string => {
    const mean = measured[key]?.mean;
    return mean === undefined ? "not measured" : text(mean);
  };
  return [
    {
      name: "Fréchet ratio",
      value: known("ratio", (mean) => mean.toFixed(2)),
      remark: "distance to MNIST’s test digits; 1: other real digits",
    },
    {
      name: "Label accuracy",
      value: known("label_accuracy", (mean) => `${(100 * mean).toFixed(1)} %`),
      remark: "digits that a classifier assigns to their label",
    },
    {
      name: "Parameters",
      value: card.parameters.toLocaleString("en"),
      remark: `and ${card.encoder.parameters.toLocaleString("en")} of the encoder`,
    },
    { name: "Size", value: `${(bytes / 1e6).toFixed(2)} MB`, remark: "model.onnx, 8 bits a weight" },
  ];
}

interface Loop {
  epochs?: number;
  steps?: number;
}

// By their names in the preset, in order.
const WORDS = {
  adversarial: "Adversarial training: a generator draws digits, and a discriminator learns to tell them from MNIST’s.",
  distillation: "Distillation: a smaller, faster network learns to draw what the generator draws.",
  moments:
    "Fine-tuning: features of its digits get the same mean and covariance as those of MNIST, with weights rounded to 8 bits.",
  encoder: "Encoder: a network learns to read the latents and the label of a digit.",
};

/** The stages of a model's training, one sentence each. */
export function describeStages(card: Card): string[] {
  const { preset = {} } = card as { preset?: Record<string, Loop | null | undefined> };
  return Object.entries(WORDS).flatMap(([name, words]) => {
    const loop = preset[name];
    if (!loop) return [];
    const { steps, epochs } = loop;
    const length = steps ? `${steps.toLocaleString("en")} steps` : epochs ? `${epochs} epochs` : "";
    return [`${words}${length ? ` ${length}.` : ""}`];
  });
}
