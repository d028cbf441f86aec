/** The effect of a weight on the pictures of a prompt: how one word moves what it names, what else it changes, and where pictures break. */

import { createRandom } from '../models/seededRandom.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import type { MethodName } from '../weighting/methods.ts';
import { colourWord } from '../world/attributes.ts';
import { plainCaption } from '../world/captions.ts';
import type { Description } from '../world/description.ts';
import { judgePicture } from '../world/judge/judge.ts';
import { pixelRgb, type Segment, segments } from '../world/judge/segments.ts';
import { matchedObjects } from '../world/judge/verdict.ts';
import { batchDrawer, createBatch } from '../world/worldBatch.ts';
import type { Colour } from '../world/worldWords.ts';
import type { Denoiser } from './denoiser.ts';
import type { Draft } from './drawing.ts';
import { shownPicture } from './drawnPicture.ts';
import { type DrawingOptions, drawToEnd, evaluationSeed, type HearDrawn } from './pictureEvaluation.ts';
import type { StepConditioning } from './promptSteps.ts';
import { spearman } from './rankCorrelation.ts';

/** The words that are weighed: "large", put before the first object, whose area it moves; and its colour, of which it makes the object. */
export const weighedWords = ['large', 'colour'] as const;
export type WeighedWord = (typeof weighedWords)[number];

/** Weights that are tried, from none of a word on. */
export const weightsOf: Readonly<Record<WeighedWord, readonly number[]>> = {
  large: [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2],
  colour: [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5],
};

/** A prompt of two objects, a word of the first of which is weighed. */
export interface WeighedScene {
  readonly description: Description;
  readonly seed: number;
}

/** Draws scenes of two objects, always the same. */
export function weighedScenes(tokenizer: Tokenizer, count: number): WeighedScene[] {
  const batch = createBatch(count);
  batchDrawer(tokenizer, { captions: 'brief', count: 2 })(batch, createRandom(evaluationSeed, 5));
  return batch.descriptions.map((description, seed) => ({ description, seed }));
}

/** The prompt as A1111 reads it: "(large:1.5) red circle left of blue square", or "(red:1.5) circle left of blue square". */
export function weighedPrompt({ description }: WeighedScene, word: WeighedWord, weight: number): string {
  const caption = plainCaption(description);
  if (word === 'large') return `(large:${weight}) ${caption}`;
  const colour = description.objects[0].colour!.word;
  return caption.replace(colour, `(${colour}:${weight})`);
}

/** Everything that is measured in a picture. */
export interface WeighedPicture {
  /** Area of the word's object as a share of the picture; 0 where it is not there. */
  readonly area: number;
  /** Share of the word's object that has the colour that is said of it; 0 where it is not there. */
  readonly purity: number;
  /** Whether there are two objects. */
  readonly isWhole: boolean;
  /** Colour and shape of the other object; null where it is not there. */
  readonly other: string | null;
  /** Its radius in sides of the picture; null where it is not there. */
  readonly otherRadius: number | null;
}

/** Share of an object's pixels that have a colour's name, each as far as it is covered. */
function purityOf(picture: Float32Array, { coverage, rgb }: Segment, colour: Colour): number {
  let [own, all] = [0, 0];
  for (const [pixel, share] of coverage.entries()) {
    if (share === 0) continue;
    all += share;
    // Half-covered pixels mix two colours, so the object's own stands for them.
    if (colourWord(share > 0.8 ? pixelRgb(picture, pixel) : rgb) === colour) own += share;
  }
  return own / all;
}

export function measureWeighed(picture: Float32Array, description: Description): WeighedPicture {
  const seen = judgePicture(picture);
  const [own, other] = matchedObjects(description, seen);
  const beside = other === null ? null : seen.objects[other];
  return {
    area: own === null ? 0 : seen.objects[own].area,
    purity:
      own === null ? 0 : purityOf(picture, segments(picture, seen.groundRgb)[own], description.objects[0].colour!.word),
    isWhole: seen.objects.length === 2,
    other: beside && `${beside.colour} ${beside.shape}`,
    otherRadius: beside?.radius ?? null,
  };
}

/** Means over the scenes at one weight. */
export interface WeightPoint {
  readonly weight: number;
  /** Mean area, or mean purity. */
  readonly value: number;
  /** Share of pictures of two objects. */
  readonly whole: number;
  /** Share of pictures whose other object is gone, or has another colour or shape than with a weight of 1. */
  readonly otherChanged: number;
  /** Share of pictures whose other object is gone, or larger or smaller by more than a third than with a weight of 1. */
  readonly otherResized?: number;
}

/** Files from before they were measured have no `otherResized` and no `findings`. */
export interface MethodWeights {
  readonly method: MethodName;
  readonly points: readonly WeightPoint[];
  /** Spearman's correlation of the measure with the weight: its mean over scenes, and that of the mean measure. */
  readonly meanSpearman: number;
  readonly spearmanOfMeans: number;
  /** Over all weights but 1. */
  readonly otherChanged: number;
  readonly otherResized?: number;
  /** Whether each of the word's `weightFindings` holds, by name. */
  readonly findings?: Readonly<Record<string, boolean>>;
  /** The weights next to 1, below and above, at which most pictures have not two objects; null where there is none. */
  readonly breaksBelow: number | null;
  readonly breaksAbove: number | null;
}

/** Finds something in a method's means. */
interface WeightFinding {
  /** Heads its column on the card. */
  readonly says: string;
  readonly holds: (found: MethodWeights) => boolean;
}

/** A mean purity that falls by no more than this is not called falling: it is a few pixels of some scenes. */
const puritySlack = 0.01;

/** Values at the weights from `least` to `most`. */
const valuesIn = ({ points }: MethodWeights, least: number, most: number) =>
  points.filter(({ weight }) => least <= weight && weight <= most).map(({ value }) => value);

const keepsOther: WeightFinding = {
  says: 'other changed ≤ 0.05',
  holds: ({ otherChanged }) => otherChanged <= 0.05,
};
const keepsSize: WeightFinding = {
  says: 'other resized ≤ 0.05',
  holds: ({ otherResized }) => otherResized! <= 0.05,
};

/** Findings of a word's weights, by name. */
export const weightFindings: Readonly<Record<WeighedWord, Readonly<Record<string, WeightFinding>>>> = {
  large: {
    meanFollows: { says: 'ρ of the mean ≥ 0.9', holds: ({ spearmanOfMeans }) => spearmanOfMeans >= 0.9 },
    scenesFollow: { says: 'mean ρ ≥ 0.9', holds: ({ meanSpearman }) => meanSpearman >= 0.9 },
    ...{ keepsOther, keepsSize },
  },
  colour: {
    rises: {
      says: 'rises from 0 to 1',
      holds: (found) => {
        const values = valuesIn(found, 0, 1);
        const falls = values.some((value, i) => i > 0 && value < values[i - 1] - puritySlack);
        return !falls && values.at(-1)! > values[0] + puritySlack;
      },
    },
    stays: {
      says: 'does not fall to 1.5',
      holds: (found) => {
        const [first, ...others] = valuesIn(found, 1, 1.5);
        return Math.min(...others) >= first - puritySlack;
      },
    },
    ...{ keepsOther, keepsSize },
  },
};

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Radii differ by no more than a third of the smaller: less than what is between small and large. */
const isAlike = (a: number | null, b: number | null) =>
  a !== null && b !== null && Math.max(a, b) <= (4 / 3) * Math.min(a, b);

/** Sums up the pictures of a method, scene by scene and weight by weight. A weight of 1 is among the weights. */
export function summariseWeights(
  method: MethodName,
  weights: readonly number[],
  scenes: readonly (readonly WeighedPicture[])[],
  word: WeighedWord,
): MethodWeights {
  const measure = word === 'large' ? 'area' : 'purity';
  const asTyped = weights.indexOf(1);
  const isChanged = (pictures: readonly WeighedPicture[], i: number) =>
    pictures[i].other === null || pictures[i].other !== pictures[asTyped].other;
  const isResized = (pictures: readonly WeighedPicture[], i: number) =>
    !isAlike(pictures[i].otherRadius, pictures[asTyped].otherRadius);
  const points = weights.map((weight, i) => ({
    weight,
    value: mean(scenes.map((pictures) => pictures[i][measure])),
    whole: mean(scenes.map((pictures) => Number(pictures[i].isWhole))),
    otherChanged: mean(scenes.map((pictures) => Number(isChanged(pictures, i)))),
    otherResized: mean(scenes.map((pictures) => Number(isResized(pictures, i)))),
  }));
  const broken = points.filter(({ whole }) => whole < 0.5).map(({ weight }) => weight);
  const untyped = points.filter(({ weight }) => weight !== 1);
  const found: MethodWeights = {
    ...{ method, points },
    meanSpearman: mean(
      scenes.map((pictures) =>
        spearman(
          weights,
          pictures.map((picture) => picture[measure]),
        ),
      ),
    ),
    spearmanOfMeans: spearman(
      weights,
      points.map(({ value }) => value),
    ),
    otherChanged: mean(untyped.map(({ otherChanged }) => otherChanged)),
    otherResized: mean(untyped.map(({ otherResized }) => otherResized)),
    breaksBelow: broken.findLast((weight) => weight < 1) ?? null,
    breaksAbove: broken.find((weight) => weight > 1) ?? null,
  };
  return {
    ...found,
    findings: Object.fromEntries(Object.entries(weightFindings[word]).map(([name, { holds }]) => [name, holds(found)])),
  };
}

/** Conditions a prompt as the page does. */
export type Condition = (prompt: string, method: MethodName) => Promise<StepConditioning>;

const isSameRows = (a: Float32Array, b: Float32Array) => a.length === b.length && a.every((value, i) => value === b[i]);

/** Conditions a scene's prompts: drafts that differ, and the place of each method's and weight's among them. Methods that give the same rows share one. */
async function draftsOf(
  scene: WeighedScene,
  word: WeighedWord,
  methods: readonly MethodName[],
  condition: Condition,
  steps: number,
) {
  const drafts: Draft[] = [];
  const places: number[][] = methods.map(() => []);
  for (const weight of weightsOf[word])
    for (const [i, method] of methods.entries()) {
      const told = await condition(weighedPrompt(scene, word, weight), method);
      const known = drafts.findIndex(({ steps: [other] }) => isSameRows(other.parts[0].rows, told.parts[0].rows));
      places[i].push(known < 0 ? drafts.push({ seed: scene.seed, steps: Array(steps).fill(told) }) - 1 : known);
    }
  return { drafts, places };
}

/** Draws and measures a word of scenes at each of its weights by each method. */
export async function judgeWeights(
  model: Denoiser,
  word: WeighedWord,
  scenes: readonly WeighedScene[],
  methods: readonly MethodName[],
  condition: Condition,
  options: DrawingOptions,
  hear?: HearDrawn,
): Promise<MethodWeights[]> {
  /** By method, scene and weight. */
  const measured: WeighedPicture[][][] = methods.map(() => []);
  for (const scene of scenes) {
    const { drafts, places } = await draftsOf(scene, word, methods, condition, options.steps);
    const pictures = drawToEnd(model, drafts, options, undefined, hear);
    const own = drafts.map((_, i) => measureWeighed(shownPicture(pictures, i), scene.description));
    for (const [i, each] of places.entries()) measured[i].push(each.map((place) => own[place]));
  }
  return methods.map((method, i) => summariseWeights(method, weightsOf[word], measured[i], word));
}
