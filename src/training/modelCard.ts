/** The card of a trained model, in Markdown: what it is, what it learned from, how well, and its bits. */

import { foilKinds } from '../world/description.ts';
import { closeSteps, type RunSettings } from './clipRun.ts';
import type { Evaluation, Retrieval } from './evaluation.ts';

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
  /** Foils of so many scenes. */
  readonly foils: Readonly<Record<'seen' | 'heldOut', Retrieval['foils']>> & { readonly scenes: number };
}

/** A foil's name and its share, in the order of the card. */
export const foilRows = (foils: Retrieval['foils']) =>
  foilKinds.map((kind): [string, number] => [`caption preferred to: ${kind}`, foils[kind]]);

/** A metric's name and its share, in the order of the card. */
export function metricRows({ textToImage, imageToText, foils, fillerInvariance }: Evaluation): [string, number][] {
  return [
    ['picture found by caption (R@1 of 400)', textToImage],
    ['caption found by picture (R@1 of 400)', imageToText],
    ...foilRows(foils),
    ['same picture found among words that mean nothing', fillerInvariance],
  ];
}

/** Seconds as a person says them. */
export const timeText = (seconds: number) =>
  seconds < 120
    ? `${seconds.toFixed(0)} s`
    : seconds < 7200
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

export function modelCard(facts: CardFacts): string {
  const { settings, seen, heldOut, foils } = facts;
  const lines = (rows: readonly [string, number][], heldOutRows: readonly [string, number][]) =>
    rows.map(([name, share], i) => `| ${name} | ${share.toFixed(4)} | ${heldOutRows[i][1].toFixed(4)} |`).join('\n');
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

${settings.steps} steps of ${settings.batch} pictures with seed ${settings.seed}, in ${timeText(facts.seconds)} on ${facts.machine}:
${settings.plainSteps} on one black object, ${settings.singleSteps} on one of any colour, ${settings.lookSteps} on everything, ${settings.pairSteps} on pairs of objects in plain
words (${settings.pairBatch} pictures each), ${settings.wordSteps} on everything, ${settings.bindSteps} on two objects, ${settings.wholeSteps} and ${closeSteps(settings)} on everything, ${settings.alikeSteps} on pairs of
one colour in plain words (${settings.pairBatch} pictures each), ${settings.againSteps - settings.alikeSteps} on everything with more such pairs, ${settings.lastSteps} on everything, ${settings.tuneSteps} on everything with more
such pairs, in which the text encoder stayed as it was, and ${settings.polishSteps} in which all learned again, from the parameters as float16. Up to
there "above" meant "left of". From float16 again: ${settings.turnSteps} on pairs in plain words, most of them beside the same pair with x and y
exchanged (${settings.pairBatch} pictures each), and ${settings.everySteps} on everything with such twins; and once more from float16 ${settings.fitSteps} with fewer of them. Most
scenes have relatives in their batch: a twin, of the same words put together otherwise, and siblings, which differ in one attribute.
AdamW; the learning rate rises within ${settings.warmUp} steps and falls by half a cosine seven times: from ${settings.learningRate}, from ${settings.againRate} in the steps that
begin with pairs of one colour, from ${settings.lastRate} in the next ${settings.lastSteps}, from ${settings.tuneRate} in the next ${settings.tuneSteps}, from ${settings.polishRate} in the next
${settings.polishSteps}, from ${settings.turnRate} in the next ${settings.turnSteps + settings.everySteps}, and from ${settings.fitRate} in the last. One seed gives one file, to the bit, as WebAssembly without relaxed SIMD
is defined to the bit. That is tested with a short run, in Node and in a browser; this long run was made once:

    ${commandOf(settings)}

One in eight pairs of colour and shape was never trained. Of such pairs are the scenes “never trained” below; 400 scenes each.

| | seen | never trained |
| --- | --- | --- |
${lines(metricRows(seen), metricRows(heldOut))}

Some 220 to 250 of 400 scenes have a foil, so that one of them is 0.004. Of ${foils.scenes} scenes:

| | seen | never trained |
| --- | --- | --- |
${lines(foilRows(foils.seen), foilRows(foils.heldOut))}
`;
}

/** The command that trains this model. */
const commandOf = (settings: RunSettings) => `npm run train -- clip ${settingFlags(settings)}`;

/** Settings as options of the command line. */
export const settingFlags = (settings: object): string =>
  Object.entries(settings)
    .map(([name, value]) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${value}`)
    .join(' ');
