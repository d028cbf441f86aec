/** Says what the weights of a prompt did to its rows; every number is taken from the rows of promptEmbeds. */
import type { Slices } from '../../prompt/slices.ts';
import { distinct } from '../../weighting/method.ts';
import { methods } from '../../weighting/methods.ts';
import { comparingRows, type RowChanges } from '../../weighting/study/compareMethods.ts';
import { number } from '../../weighting/wording.ts';
import type { LazyConditioning } from '../composition.ts';
import { conditioningPlace } from '../conditioningPlace.ts';
import type { PromptOptions } from '../options.ts';
import { promptPasses } from '../pipeline.ts';
import type { PreparedPrompt } from '../preparedPrompt.ts';
import { counted, methodTitle, percent, quoted, type Sentence, sentence } from './sentence.ts';

/** The conditionings of a prompt, by the method chosen and with every weight at 1. */
export interface Conditionings {
  readonly weighted: readonly LazyConditioning[];
  readonly unweighted: readonly LazyConditioning[];
  readonly d: number;
}

/** Rows together: how much longer, how far moved, and how far turned they are. */
export interface Shift {
  /** √(Σ ‖z′‖² / Σ ‖z‖²) and √(Σ ‖z′ − z‖² / Σ ‖z‖²). */
  readonly lengthRatio: number;
  readonly moved: number;
  /** Mean cosine of z′ and z over the rows that have one; NaN where none has. */
  readonly cosine: number;
  readonly finite: boolean;
}

export function shiftOf({ unweightedNorms, norms, distances, cosines }: RowChanges, rows: readonly number[]): Shift {
  const squares = (values: Float64Array) => rows.reduce((sum, row) => sum + values[row] ** 2, 0);
  const before = squares(unweightedNorms);
  const turned = rows.map((row) => cosines[row]).filter((cosine) => !Number.isNaN(cosine));
  return {
    lengthRatio: Math.sqrt(squares(norms) / before),
    moved: Math.sqrt(squares(distances) / before),
    cosine: turned.reduce((sum, cosine) => sum + cosine, 0) / turned.length,
    // Rows that are not finite have no distance.
    finite: !rows.some((row) => Number.isNaN(distances[row])),
  };
}

/** Cosines nearer to 1 than this are those of one direction, up to the rounding of float32. */
const sameDirection = 1 - 1e-6;
const notFinite = 'values that are infinite or no numbers, of which no picture can be made';

/** Says what became of some rows, after a subject such as “red”, and with which numbers. */
function shiftText({ lengthRatio, moved, cosine, finite }: Shift): { text: string; numbers: number[] } {
  if (!finite) return { text: `gets ${notFinite}`, numbers: [] };
  if (moved === 0) return { text: 'stays exactly as it is', numbers: [] };
  if (lengthRatio === 0) return { text: 'becomes 0 in all its dimensions', numbers: [] };
  if (Math.abs(cosine) >= sameDirection) {
    const direction = cosine > 0 ? 'in the same direction' : 'and points in the opposite direction';
    return { text: `${growth(lengthRatio)}${cosine > 0 ? ',' : ''} ${direction}`, numbers: [lengthRatio - 1] };
  }
  const degrees = (Math.acos(cosine) * 180) / Math.PI;
  return {
    text: `moves by ${percent(moved)} of its length: it ${growth(lengthRatio)} and turns by ${number(Number(degrees.toPrecision(3)))}° (cosine ${cosine.toFixed(4).replace('-', '−')})`,
    numbers: [moved, lengthRatio - 1, degrees, cosine],
  };
}

function growth(lengthRatio: number): string {
  if (Math.abs(lengthRatio - 1) < 5e-7) return 'keeps its length';
  if (lengthRatio >= 10) return `grows to ${number(Number(lengthRatio.toPrecision(3)))} times its length`;
  return lengthRatio > 1 ? `grows by ${percent(lengthRatio - 1)}` : `shrinks by ${percent(1 - lengthRatio)}`;
}

/** Text of one weight with its rows. */
interface WeightedWord {
  readonly text: string;
  readonly typed: number;
  readonly applied: number;
  /** The first token: the chunk among the prompt's, and its row. */
  readonly chunk: number;
  readonly row: number;
  readonly conditioning: number;
  /** Its rows among those of the conditioning. */
  readonly rows: number[];
}

/** Lists the text whose applied weight is not 1, in order. */
function weightedWords(prepared: PreparedPrompt): WeightedWord[] {
  const words = new Map<string, WeightedWord>();
  prepared.chunks.forEach(({ chunk: { tokens }, text, index }, at) => {
    const { applied, fragments } = prepared.texts[text];
    const { conditioning, chunk } = conditioningPlace(prepared, text, index);
    tokens.forEach(({ fragment, weight }, row) => {
      const own = applied[index][row];
      if (fragment === null || own === 1) return;
      const key = `${text} ${fragment} ${own}`;
      const place = { conditioning, chunk: at, row, rows: [] };
      const word = words.get(key) ?? { text: fragments[fragment].text, typed: weight, applied: own, ...place };
      word.rows.push(chunk * tokens.length + row);
      words.set(key, word);
    });
  });
  return [...words.values()];
}

/** Words that are named one by one. */
const mostNamed = 6;

export interface WeightInput {
  readonly prepared: PreparedPrompt;
  readonly options: PromptOptions;
  /** Null while the prompt is not encoded: then nothing is said in numbers. */
  readonly embeds: Conditionings | null;
  /** Layers of the model. */
  readonly layers: number;
}

/** Says how far each weighted word moved, what the method did to all other rows, and that attention stays as it is. */
export function* weightSentences({ prepared, options, embeds, layers }: WeightInput): Slices<Sentence[]> {
  const words = weightedWords(prepared);
  yield;
  const isTyped = prepared.texts.some(({ chunks }) =>
    chunks.some(({ tokens }) => tokens.some(({ weight }) => weight !== 1)),
  );
  const changes = embeds && (yield* changesOf(embeds));
  yield;
  const moves = changes?.some(({ changedRows }) => changedRows.length > 0) ?? false;
  const isEmpty = prepared.source.trim() === '';
  return [
    ...unapplied(prepared),
    ...(isTyped || moves || isEmpty
      ? []
      : [sentence('weights', 'No word has a weight, so every row is as the encoder gives it.')]),
    ...(changes ? movedWords(words, changes) : plannedWords(words, options)),
    ...(changes ? otherRows(prepared, words, changes, options) : []),
    ...(isTyped ? [attention(prepared, options, layers)] : []),
  ];
}

/** Compares the conditionings with the unweighted ones, chunk by chunk. */
function* changesOf({ weighted, unweighted, d }: Conditionings): Slices<RowChanges[]> {
  const changes: RowChanges[] = [];
  for (const [i, { n, rowsOf }] of weighted.entries())
    changes.push(yield* comparingRows(n, (at) => [rowsOf(at), unweighted[i].rowsOf(at)], d));
  return changes;
}

/** Codes of the messages that say so of weights that change nothing. */
export const unappliedCodes: readonly string[] = ['weights-not-applied', 'brackets-as-text'];

function unapplied({ diagnostics }: PreparedPrompt): Sentence[] {
  return diagnostics
    .filter(({ code }) => unappliedCodes.includes(code))
    .map(({ message, start, end }) => sentence('weights', message, [], { view: 'prompt', range: { start, end } }));
}

function nameOf({ text, typed, applied, rows }: WeightedWord): string {
  const weight = typed === applied ? number(typed) : `${number(typed)}, applied as ${number(applied)}`;
  return `${quoted(text)} (weight ${weight}${rows.length > 1 ? `, ${rows.length} tokens` : ''})`;
}

function movedWords(words: readonly WeightedWord[], changes: readonly RowChanges[]): Sentence[] {
  const shifts = words.map((word) => ({ word, shift: shiftOf(changes[word.conditioning], word.rows) }));
  const size = ({ finite, moved }: Shift) => (finite ? moved : Number.POSITIVE_INFINITY);
  const named = new Set(shifts.toSorted((a, b) => size(b.shift) - size(a.shift)).slice(0, mostNamed));
  const sentences = shifts
    .filter((entry) => named.has(entry))
    .map(({ word, shift }) => {
      const { text, numbers } = shiftText(shift);
      const lead = { view: 'weights', chunk: word.chunk, row: word.row } as const;
      return sentence('weights', `${nameOf(word)} ${text}.`, [word.applied, ...numbers], lead);
    });
  const rest = shifts.length - named.size;
  if (rest > 0)
    sentences.push(
      sentence(
        'weights',
        `${counted(rest, 'more text')} with a weight ${rest === 1 ? 'moves' : 'move'} less.`,
        [rest],
        {
          view: 'weights',
        },
      ),
    );
  return sentences;
}

/** Says without numbers what will become of the words. */
function plannedWords(words: readonly WeightedWord[], { weighting }: PromptOptions): Sentence[] {
  if (words.length === 0) return [];
  const named = words.slice(0, mostNamed).map((word) => {
    const { chunk, row } = word;
    return sentence('weights', `${nameOf(word)} is weighed.`, [word.applied], { view: 'tokens', chunk, row });
  });
  const becomes = words.length > 1 ? 'their rows become' : 'its row becomes';
  const text = `By ${methodTitle(weighting)} ${becomes} ${methods[weighting].formula}.`;
  return [...named, sentence('weights', text)];
}

/** The rows of a chunk that weigh 1, and their changes. */
interface ChunkRest {
  readonly conditioning: number;
  readonly chunk: number;
  readonly rows: readonly number[];
  readonly changed: readonly number[];
  readonly shift: Shift;
  /** Whether all of them are multiplied by one number. */
  readonly isScaled: boolean;
}

function restsOf(
  prepared: PreparedPrompt,
  words: readonly WeightedWord[],
  changes: readonly RowChanges[],
): ChunkRest[] {
  const L = prepared.chunks[0].chunk.tokens.length;
  return changes.flatMap((change, conditioning) => {
    const weighed = new Set(words.filter((word) => word.conditioning === conditioning).flatMap(({ rows }) => rows));
    const changedRows = new Set(change.changedRows);
    return Array.from({ length: change.norms.length / L }, (_, chunk): ChunkRest => {
      const rows = Array.from({ length: L }, (_, row) => chunk * L + row).filter((row) => !weighed.has(row));
      const shift = shiftOf(change, rows);
      const isScaled = rows.every(
        (row) =>
          Math.abs(change.cosines[row]) >= sameDirection &&
          Math.abs(change.normRatios[row] / shift.lengthRatio - 1) < 1e-5,
      );
      return { conditioning, chunk, rows, changed: rows.filter((row) => changedRows.has(row)), shift, isScaled };
    });
  });
}

/** Chunks that are spoken of one by one. */
const mostChunks = 3;

function otherRows(
  prepared: PreparedPrompt,
  words: readonly WeightedWord[],
  changes: readonly RowChanges[],
  options: PromptOptions,
): Sentence[] {
  const rests = restsOf(prepared, words, changes);
  const all = rests.reduce((sum, { rows }) => sum + rows.length, 0);
  const moving = rests.filter(({ changed }) => changed.length > 0);
  const lead = { view: 'weights' } as const;
  if (moving.length === 0) {
    if (words.length > 0)
      return [
        sentence('rest', `The other ${counted(all, 'row')} stay exactly as the encoder gives them.`, [all], lead),
      ];
    return [];
  }
  const [first] = moving;
  const isOne =
    moving.length === rests.length &&
    rests.every(({ shift, isScaled }) => isScaled && Math.abs(shift.lengthRatio - first.shift.lengthRatio) < 1e-6);
  const reason = reasonOf(
    prepared,
    options,
    moving.every(({ isScaled, shift }) => isScaled || !shift.finite),
  );
  if (isOne) {
    const { text, numbers } = restText({ ...first, rows: { length: all }, changed: { length: all } }, '');
    return [sentence('rest', `${text}${reason}`, numbers, lead)];
  }
  const spoken = moving.slice(0, mostChunks).map((rest) => {
    const { text, numbers } = restText(rest, rests.length > 1 ? ` of chunk ${rests.indexOf(rest) + 1}` : '');
    return sentence('rest', `${text}${reason}`, numbers, lead);
  });
  const more = moving.length - spoken.length;
  if (more > 0)
    spoken.push(sentence('rest', `So do rows of weight 1 in ${counted(more, 'more chunk')}.`, [more], lead));
  return spoken;
}

/** Rows of weight 1 as they are spoken of: how many there are, and how many of them changed. */
interface SpokenRest extends Pick<ChunkRest, 'shift' | 'isScaled'> {
  readonly rows: { readonly length: number };
  readonly changed: { readonly length: number };
}

/** Says what became of rows of weight 1; `where` is empty or names their chunk. */
function restText({ rows, changed, shift, isScaled }: SpokenRest, where: string) {
  const { lengthRatio, cosine, moved, finite } = shift;
  const count = rows.length;
  const subject = `The other ${counted(count, 'row')}${where}, of weight 1,`;
  if (!finite) return { text: `${subject} get ${notFinite} too`, numbers: [count] };
  if (isScaled) {
    const grow = growth(lengthRatio)
      .replace('grows', 'grow')
      .replace('shrinks', 'shrink')
      .replace('keeps its', 'keep their')
      .replace('its', 'their');
    const turned = cosine < 0 ? ' and point in the opposite direction' : '';
    return { text: `${subject} ${grow}${turned}, BOS, EOS and PAD too`, numbers: [count, lengthRatio - 1] };
  }
  if (changed.length === count)
    return { text: `${subject} move too, by ${percent(moved)} of their length`, numbers: [count, moved] };
  return {
    text: `Of the other ${counted(count, 'row')}${where}, of weight 1, ${changed.length} move too, by ${percent(moved)} of the length of all`,
    numbers: [count, changed.length, moved],
  };
}

/** Says why rows of weight 1 change. */
function reasonOf(prepared: PreparedPrompt, { weighting }: PromptOptions, isScaled: boolean): string {
  const { means } = methods[weighting];
  if (means && isScaled) {
    const over = prepared.texts.some(({ weighted }) => means(weighted).some(({ at }) => at === null));
    return `, because ${methodTitle(weighting)} restores the mean over ${over ? 'all chunks' : 'each chunk'}.`;
  }
  return extraPasses(prepared, weighting) > 0
    ? `, because ${methodTitle(weighting)} mixes in encodings of the prompt without some of its words.`
    : `, because of how ${methodTitle(weighting)} weighs: ${methods[weighting].formula}.`;
}

/** Counts the encodings that a method reads besides the prompt's own chunks. */
function extraPasses(prepared: PreparedPrompt, weighting: PromptOptions['weighting']): number {
  return promptPasses(prepared, weighting).length - distinct(prepared.chunks.map(({ pass }) => pass)).length;
}

function attention(prepared: PreparedPrompt, { weighting, clipSkip }: PromptOptions, layers: number): Sentence {
  const last = Math.max(0, layers + 1 - clipSkip);
  const extra = extraPasses(prepared, weighting);
  const more =
    extra > 0
      ? ` To weigh, ${methodTitle(weighting)} reads ${counted(extra, 'more encoding')} (of an empty prompt, of this one without some words, or of another step), whose attention is not shown.`
      : '';
  return sentence(
    'attention',
    `Attention does not change with a weight: weights act on what comes out of the encoder, after layer ${last}.${more}`,
    [last, ...(extra > 0 ? [extra] : [])],
    { view: 'attention' },
  );
}
