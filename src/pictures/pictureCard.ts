/** The card of a trained denoiser, in Markdown: what it is, what it learned from, how well, and its bits. */

import { settingFlags, timeText } from '../training/modelCard.ts';
import { methods } from '../weighting/methods.ts';
import type { DrawingOptions, PictureEvaluation } from './pictureEvaluation.ts';
import { averaging, kinds, type PictureSettings } from './pictureRun.ts';
import { type MethodWeights, type WeighedWord, weightFindings } from './weightEvaluation.ts';

/** The pictures of so many captions. */
export interface JudgedCaptions extends PictureEvaluation {
  readonly captions: number;
}

/** The pictures of a word's weights in so many scenes. */
export interface JudgedWeights {
  readonly scenes: number;
  readonly methods: readonly MethodWeights[];
}

/** Everything that has been judged of a denoiser so far. */
export interface Judged {
  readonly drawing: DrawingOptions;
  readonly seen?: JudgedCaptions;
  readonly heldOut?: JudgedCaptions;
  readonly large?: JudgedWeights;
  readonly colour?: JudgedWeights;
}

export interface PictureCardFacts {
  readonly settings: PictureSettings;
  readonly parameters: number;
  readonly seconds: number;
  /** Processor and program that trained it. */
  readonly machine: string;
  /** Hexadecimal SHA-256 of model.safetensors, and its length. */
  readonly sha256: string;
  readonly bytes: number;
  /** Hash of the text encoder, made by weightsHash.ts. */
  readonly clipSha256: string;
  /** Measured on the parameters as the file has them. */
  readonly judged: Judged;
}

/** Says in judged.json what its shares are shares of. */
export const conditions = {
  'right, count, fillerInvariance': 'of all pictures of brief captions',
  'colour, shape, colourPointing, shapePointing': 'of objects of pictures with the right number of objects',
  ofAllSaid: 'of all objects that are said; where the number is wrong, none is right or looked at',
  relation: 'of pictures of two said objects; where the number is wrong, it is wrong',
  complete: 'of pictures of captions that say everything',
  otherChanged: 'of pictures, the other object gone, or of another colour or shape than with a weight of 1',
  otherResized: 'of pictures, the other object gone, or its radius more than a third off that with a weight of 1',
} as const;

/** A metric's name and its share, in the order of the card. */
export function pictureMetricRows(evaluation: PictureEvaluation): [string, number][] {
  const { ofAllSaid } = evaluation;
  return [
    ['everything right (colours, shapes and relation said)', evaluation.right],
    ['number of objects', evaluation.count],
    ['colour of an object', evaluation.colour],
    ['shape of an object', evaluation.shape],
    ['relation', evaluation.relation],
    ['everything right (everything said; a quarter as many captions)', evaluation.complete],
    ['the same verdict with “masterpiece, best quality” after it', evaluation.fillerInvariance],
    ['the square that looks most at a colour lies in its object', evaluation.colourPointing],
    ['the square that looks most at a shape lies in its object', evaluation.shapePointing],
    ...(ofAllSaid
      ? ([
          ['colour, of all said objects', ofAllSaid.colour],
          ['shape, of all said objects', ofAllSaid.shape],
          ['most looks at a colour, of all said objects', ofAllSaid.colourPointing],
          ['most looks at a shape, of all said objects', ofAllSaid.shapePointing],
        ] as [string, number][])
      : []),
  ];
}

export function pictureCard(facts: PictureCardFacts): string {
  const { settings } = facts;
  return `# A small denoiser of coloured shapes

A toy: it makes pictures of 40 × 40 pixels of one or two coloured shapes from a prompt, and knows no other things. Trained from nothing
by clipscope. Stable Diffusion's own answer to a prompt differs.

- \`model.safetensors\`: ${facts.parameters} parameters as float16, ${facts.bytes} bytes.
  SHA-256 \`${facts.sha256}\`
- \`config.json\`: its sizes, and the hash of the text encoder's tensors, of whose 77 rows after the final LayerNorm it makes pictures:
  \`${facts.clipSha256}\`
- \`log.jsonl\`: loss, gradient, learning rate and seconds of every tenth step, and all metrics on the way.

A U-Net on squares of 2 × 2 pixels with cross-attention, as Stable Diffusion's, without bias in keys and values. Otherwise than there it
works on pixels, not latents, and on a fourth plane beside red, green and blue, which says where objects are and is not shown; a norm of each
pixel's row stands for GroupNorm; what a pixel reads of the prompt is multiplied by a gate of its own; it learns by flow matching, where a
noisy picture is (1 − t) · clean + t · noise, and predicts the clean picture instead of the noise.

## Training

${settings.steps} steps of ${settings.batch} pictures with seed ${settings.seed}, in ${timeText(facts.seconds)} on ${facts.machine}:
${settings.boldSteps} on large filled objects in plain words, ${settings.blendSteps} in which ever more scenes are of any kind, the others on
everything. Matrices between the first layer and the last learn by Muon, all else by AdamW, at a learning rate of ${settings.learningRate} with
${settings.warmUp} steps of warm-up, which falls to 0 in the last 2 / 5${settings.againSteps + settings.pointSteps > 0 ? ' of each part' : ''}; the file has the running average of the parameters (${averaging}).${laterText(settings)}
That an object is an outline is always said; else a third of captions leave each attribute out.
One caption in ten is empty. Rows are replaced by the empty prompt's: ${kinds.whole.dropped.word} of the words in captions that may leave out anything; all
from EOS on for ${kinds.bold.dropped.rest} of the captions of large filled objects, for ${kinds.whole.dropped.rest} of all others. One seed gives one file, to the bit, as WebAssembly without relaxed SIMD is defined to the bit. That is tested with a short run; this
long run was made once:

    npm run train -- pictures ${settingFlags(settings)}

${judgedSection(facts.judged)}`;
}

const decimalShare = (share: number) => String(Number(share.toFixed(4)));

/** Says how a run with later parts goes on. */
function laterText({ againSteps, againRate, pointSteps, pointRate, grounding, pointShare }: PictureSettings): string {
  const again = `
Then came ${againSteps} steps, which began from that average as a file holds it, without moments, at a rate of ${againRate}. One scene in three there
is of large filled objects in plain words, one of any in words that say everything, and one of any in words that leave some out.`;
  const point = `
The last ${pointSteps} began from the average as a file holds it, too, at a rate of ${pointRate}. Every other scene there is told in plain words with every
outline and the sizes of two objects in three, and objects' words learn to be looked at from inside them: the mean of (1 − r)² over these words, with
r the share of a word's looks that come from its object, times 1 − t and ${grounding}, is added to the loss for each layer, after TokenCompose
(Wang et al. 2023). Stable Diffusion has learned no such thing. The other scenes are of any kind, in words that say everything, or that leave
some out. The file has ${pointShare} of the average after these steps and ${decimalShare(1 - pointShare)} of what they began from (Wortsman et al. 2022): alone the former points better, and
draws fewer pictures right.`;
  return (againSteps > 0 ? again : '') + (pointSteps > 0 ? point : '');
}

/** The heading of the last section: what comes before it stays when a model is judged again. */
const judgedHeading = '## What it shows';

/** Puts what was judged into a card that has been written. */
export const withJudged = (card: string, judged: Judged): string =>
  card.slice(0, card.includes(judgedHeading) ? card.indexOf(judgedHeading) : card.length) + judgedSection(judged);

/** Everything that has been judged, in Markdown. */
export function judgedSection(judged: Judged): string {
  const { steps, guidance } = judged.drawing;
  const parts = [
    `${judgedHeading}

Pictures of ${steps} steps with guidance ${guidance}, judged by src/world/judge; \`npm run judge-pictures\` judges them again. One in eight
pairs of colour and shape was never trained: of such pairs are the captions “never trained”.`,
    captionTable(judged),
    ...(judged.large ? [largeTable(judged.large)] : []),
    ...(judged.colour ? [colourTable(judged.colour)] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function captionTable({ seen, heldOut }: Judged): string {
  const columns = [
    { name: 'seen', judged: seen },
    { name: 'never trained', judged: heldOut },
  ].flatMap(({ name, judged }) =>
    judged ? [{ head: `${name} (${judged.captions})`, rows: pictureMetricRows(judged) }] : [],
  );
  if (columns.length === 0) return '';
  // A part that was judged before a metric was measured has fewer rows than the other.
  const names = columns.map(({ rows }) => rows.map(([name]) => name)).reduce((a, b) => (b.length > a.length ? b : a));
  const judgedTable = table(
    ['', ...columns.map(({ head }) => head)],
    names.map((name, i) => [name, ...columns.map(({ rows }) => rows.at(i)?.[1].toFixed(4) ?? '')]),
  );
  return seen?.ofAllSaid || heldOut?.ofAllSaid ? `${judgedTable}\n\n${objectsSentence}` : judgedTable;
}

const objectsSentence = `“Of an object” and “in its object” are of pictures with the right number of objects alone. “Of all said objects” counts an object as wrong,
and as looked at from elsewhere, where the number is wrong.`;

const valueAt = ({ points }: MethodWeights, weight: number) =>
  points.find((point) => point.weight === weight)?.value ?? Number.NaN;

/** "from 1.75 on" */
function breakText({ breaksBelow, breaksAbove }: MethodWeights): string {
  const where = [
    ...(breaksBelow === null ? [] : [`at ${breaksBelow} and below`]),
    ...(breaksAbove === null ? [] : [`from ${breaksAbove} on`]),
  ];
  return where.join(', ') || 'nowhere';
}

const leastFromOne = ({ points }: MethodWeights) =>
  Math.min(...points.filter(({ weight }) => weight >= 1).map(({ value }) => value));

function largeTable({ scenes, methods: found }: JudgedWeights): string {
  const [first, last] = [found[0].points[0].weight, found[0].points.at(-1)!.weight];
  return `“(large:w)” before the first of two objects, in ${scenes} scenes, w from ${first} to ${last}: the area of that object in per cent of the
picture, and Spearman’s correlation of the area with w. The other object is changed where it is gone or has another colour or shape than
with w = 1; a picture breaks where most scenes have not two objects.

${table(
  ['', 'mean ρ', 'ρ of the mean', ...[0, 1, 2].map((w) => `area at ${w}`), 'other changed', 'breaks'],
  found.map((one) => [
    methods[one.method].label,
    one.meanSpearman.toFixed(3),
    one.spearmanOfMeans.toFixed(3),
    ...[0, 1, 2].map((weight) => (100 * valueAt(one, weight)).toFixed(2)),
    one.otherChanged.toFixed(3),
    breakText(one),
  ]),
)}${findingsTable('large', found)}`;
}

function colourTable({ scenes, methods: found }: JudgedWeights): string {
  return `“(red:w)”, or whatever the first object’s colour is, in ${scenes} scenes: the share of that object which has the colour.

${table(
  ['', 'at 0', 'at 0.5', 'at 1', 'at 1.5', 'least from 1 to 1.5', 'other changed', 'breaks'],
  found.map((one) => [
    methods[one.method].label,
    ...[0, 0.5, 1, 1.5].map((weight) => valueAt(one, weight).toFixed(3)),
    leastFromOne(one).toFixed(3),
    one.otherChanged.toFixed(3),
    breakText(one),
  ]),
)}${findingsTable('colour', found)}`;
}

/** Everything that is found of a word's weights, method by method; nothing of methods that were judged before that was measured. */
function findingsTable(word: WeighedWord, found: readonly MethodWeights[]): string {
  const known = found.filter(({ findings }) => findings);
  if (known.length === 0) return '';
  const columns = Object.entries(weightFindings[word]);
  return `

The other object is resized where it is gone, or its radius more than a third off that with w = 1.${word === 'colour' ? ' A share falls that does so by more than 0.01.' : ''}

${table(
  ['', 'other resized', ...columns.map(([, { says }]) => says)],
  known.map(({ method, otherResized, findings }) => [
    methods[method].label,
    (otherResized ?? Number.NaN).toFixed(3),
    ...columns.map(([name]) => (findings![name] ? 'yes' : 'no')),
  ]),
)}`;
}
