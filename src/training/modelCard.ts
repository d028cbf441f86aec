/** The card of a trained model, in Markdown: what it is, what it learned from, how well, and its bits. */

import { foilKinds } from '../world/description.ts';
import type { RunSettings } from './clipRun.ts';
import type { Evaluation } from './evaluation.ts';

export interface CardFacts {
  readonly settings: RunSettings;
  readonly parameters: number;
  readonly seconds: number;
  /** Processor and program that trained it. */
  readonly machine: string;
  /** Hexadecimal SHA-256 of model.safetensors, and its length. */
  readonly sha256: string;
  readonly bytes: number;
  /** Rows of the token table. */
  readonly words: number;
  /** Measured on the parameters as the file has them. */
  readonly seen: Evaluation;
  readonly heldOut: Evaluation;
}

/** A metric's name and its share, in the order of the card. */
export function metricRows({ textToImage, imageToText, foils, fillerInvariance }: Evaluation): [string, number][] {
  return [
    ['picture found by caption (R@1 of 400)', textToImage],
    ['caption found by picture (R@1 of 400)', imageToText],
    ...foilKinds.map((kind): [string, number] => [`caption preferred to: ${kind}`, foils[kind]]),
    ['same picture found among words that mean nothing', fillerInvariance],
  ];
}

const timeText = (seconds: number) =>
  seconds < 120
    ? `${seconds.toFixed(0)} s`
    : seconds < 7200
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

export function modelCard(facts: CardFacts): string {
  const { settings, seen, heldOut } = facts;
  const heldOutRows = metricRows(heldOut);
  const metrics = metricRows(seen).map(
    ([name, share], i) => `| ${name} | ${share.toFixed(4)} | ${heldOutRows[i][1].toFixed(4)} |`,
  );
  return `# A small CLIP of coloured shapes

A toy: CLIP's architecture, trained from nothing by clipscope on pictures of one or two coloured shapes that clipscope draws.
It knows no other things. Numbers of it are not Stable Diffusion's.

- \`model.safetensors\`: ${facts.parameters} parameters as float16, ${facts.bytes} bytes, by transformers' names.
  SHA-256 \`${facts.sha256}\`
- \`config.json\`: opens it with transformers' \`CLIPModel\`. The token table has ${facts.words} rows; \`token_ids\` in the metadata of the
  file says which of CLIP's ids they stand for. A caption's ids by CLIP's tokenizer become rows before the model reads them. \`--full-table\`
  writes a model with all of CLIP's ids.
- \`preprocessor_config.json\`: opens with \`CLIPImageProcessor\`. Pictures become 40 × 40, from −1 to 1.
- \`log.jsonl\`: loss, gradient, learning rate, temperature and seconds of every tenth step, and all metrics on the way.

## Training

${settings.steps} steps with seed ${settings.seed}, in ${timeText(facts.seconds)} on ${facts.machine}: ${settings.singleSteps} on single
objects and ${settings.pairSteps} on pairs of objects in plain words, ${settings.firstBatch} pictures each; then ${settings.steps - settings.singleSteps - settings.pairSteps} on everything, ${settings.batch} pictures
each. Most scenes of two objects have a twin in their batch: the same words, put together otherwise. AdamW, learning rate
${settings.learningRate} with ${settings.warmUp} steps of warm-up and half a cosine. One seed gives one file, to the bit, as WebAssembly without relaxed SIMD
is defined to the bit. That is tested with a short run, in Node and in a browser; this long run was made once:

    ${commandOf(settings)}

One in eight pairs of colour and shape was never trained. Of such pairs are the scenes “never trained” below; 400 scenes each.

| | seen | never trained |
| --- | --- | --- |
${metrics.join('\n')}
`;
}

/** The command that trains this model. */
function commandOf(settings: RunSettings): string {
  const flags = Object.entries(settings).map(
    ([name, value]) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${value}`,
  );
  return `npm run train -- clip ${flags.join(' ')}`;
}
