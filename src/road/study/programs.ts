/** One text as A1111, Compel and ComfyUI read it, each in its own way, aligned token by token. */

import type { Side } from '../../prompt/side.ts';
import { type Slices, whole } from '../../prompt/slices.ts';
import { programs, type Syntax } from '../../prompt/syntax.ts';
import { commonPlaces } from '../../tokens/align.ts';
import type { PromptEmbedding, PromptToken } from '../../tokens/promptTokens.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { ownMethod } from '../../weighting/methods.ts';
import type { LazyConditioning } from '../composition.ts';
import { conditioningPlace } from '../conditioningPlace.ts';
import { defaultOptions, type PromptOptions } from '../options.ts';
import { preparingPrompt } from '../pipeline.ts';
import type { PreparedPrompt } from '../preparedPrompt.ts';
import { comparingPairs, type RowDifference, type RowPair } from './rowDifferences.ts';
import { listed, quoted } from './sentence.ts';

/** Sets what one program does of itself, with what no program does left out; its own settings, the step and clip skip stay as they are chosen. */
export function programOptions(options: PromptOptions, syntax: Syntax): PromptOptions {
  const { tokenizer, mask, normalisation, squareFactor, context, rowMaps } = defaultOptions;
  const usual = { tokenizer, mask, normalisation, squareFactor, context, rowMaps };
  return { ...options, ...usual, syntax, weighting: ownMethod[syntax] };
}

/** A token of the text, and where a program puts it. */
export interface ProgramToken {
  readonly token: PromptToken;
  /** Identity of the token: its id, or a number below 0 for each vector of a textual inversion. */
  readonly id: number;
  /** Index into the program's chunks; null where it is cut off. */
  readonly chunk: number | null;
  /** Index into the program's conditionings, and the row there. */
  readonly conditioning: number;
  readonly row: number;
}

/** Reading of one program before anything is encoded. */
export interface ProgramReading {
  readonly syntax: Syntax;
  readonly prepared: PreparedPrompt;
  /** In the order of the chunks; without BOS, EOS and PAD. */
  readonly tokens: readonly ProgramToken[];
}

/** A token that at least one program reads. */
export type AlignedToken = Readonly<Partial<Record<Syntax, ProgramToken>>>;

export interface ProgramReadings {
  readonly readings: Readonly<Record<Syntax, ProgramReading>>;
  readonly rows: readonly AlignedToken[];
}

/** In this order the programs are aligned: A1111 and ComfyUI, which are asked about most, as well as can be. */
const alignedOrder: readonly Syntax[] = ['a1111', 'comfy', 'compel'];

/** Reads a prompt as each program does. `options` as the page has them. Never throws. */
export function readPrograms(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side = 'positive',
  embeddings: readonly PromptEmbedding[] = [],
): ProgramReadings {
  return whole(readingPrograms(prompt, options, tokenizer, side, embeddings));
}

/** Does the work of `readPrograms` in slices. */
export function* readingPrograms(
  prompt: string,
  options: PromptOptions,
  tokenizer: Tokenizer,
  side: Side,
  embeddings: readonly PromptEmbedding[],
): Slices<ProgramReadings> {
  const vectorIds = new Map<string, number>();
  const idOf = ({ id, vector }: PromptToken) => {
    if (!vector) return id;
    const key = JSON.stringify([vector.name, vector.index]);
    const known = vectorIds.get(key) ?? -1 - vectorIds.size;
    vectorIds.set(key, known);
    return known;
  };
  const read = function* (syntax: Syntax): Slices<ProgramReading> {
    const prepared = yield* preparingPrompt(prompt, programOptions(options, syntax), tokenizer, side, embeddings);
    yield;
    return { syntax, prepared, tokens: placedTokens(prepared, idOf) };
  };
  const readings = { a1111: yield* read('a1111'), compel: yield* read('compel'), comfy: yield* read('comfy') };
  let rows: readonly AlignedToken[] = [];
  for (const syntax of alignedOrder) {
    yield;
    rows = withReading(rows, readings[syntax]);
  }
  return { readings, rows };
}

function placedTokens(prepared: PreparedPrompt, idOf: (token: PromptToken) => number): ProgramToken[] {
  let before = 0;
  return prepared.texts.flatMap(({ chunks, cut }, text) => {
    const placed = chunks.flatMap(({ tokens }, index) => {
      const { conditioning, chunk } = conditioningPlace(prepared, text, index);
      return tokens.flatMap((token, row): ProgramToken[] =>
        token.kind === 'text'
          ? [{ token, id: idOf(token), chunk: before + index, conditioning, row: chunk * tokens.length + row }]
          : [],
      );
    });
    before += chunks.length;
    const lost = cut.map((token): ProgramToken => ({ token, id: idOf(token), chunk: null, conditioning: 0, row: 0 }));
    return [...placed, ...lost];
  });
}

/** Adds a program's tokens to rows: to those that have them already, and in between where none has. */
function withReading(rows: readonly AlignedToken[], { syntax, tokens }: ProgramReading): AlignedToken[] {
  const ids = rows.map((row) => ({ id: (row.a1111 ?? row.comfy ?? row.compel)!.id }));
  const merged: AlignedToken[] = [];
  let [row, token] = [0, 0];
  for (const [sharedRow, sharedToken] of [...commonPlaces(ids, tokens), [rows.length, tokens.length] as const]) {
    while (row < sharedRow) merged.push(rows[row++]);
    while (token < sharedToken) merged.push({ [syntax]: tokens[token++] });
    if (row < rows.length && token < tokens.length) merged.push({ ...rows[row++], [syntax]: tokens[token++] });
  }
  return merged;
}

export type ProgramPair = readonly [Syntax, Syntax];

/** Tokens that two programs share, and those that only one has: indices into the aligned rows. */
export interface PairReading {
  /** Rows that either reads, cut off or not. */
  readonly shared: readonly number[];
  /** Rows of `shared` in which the weights are not the same within 1e-6. */
  readonly reweighed: readonly number[];
  /** Rows that one of them alone reads. */
  readonly only: readonly [readonly number[], readonly number[]];
  /** Rows that each reads and cuts off. */
  readonly cut: readonly [readonly number[], readonly number[]];
}

export function comparePair({ rows }: ProgramReadings, [a, b]: ProgramPair): PairReading {
  const where = (isMeant: (row: AlignedToken) => boolean) => [...rows.keys()].filter((i) => isMeant(rows[i]));
  const differ = (x: number, y: number) => !Object.is(x, y) && Math.abs(x - y) > 1e-6 * Math.max(1, Math.abs(x));
  const isCut = (syntax: Syntax) => (row: AlignedToken) => row[syntax]?.chunk === null;
  const shared = where((row) => row[a] !== undefined && row[b] !== undefined);
  return {
    shared,
    reweighed: shared.filter((i) => differ(rows[i][a]!.token.weight, rows[i][b]!.token.weight)),
    only: [where((row) => !!row[a] && !row[b]), where((row) => !!row[b] && !row[a])],
    cut: [where(isCut(a)), where(isCut(b))],
  };
}

/** How far the rows of a token that both programs encode are from one another. */
export interface TokenDifference extends RowDifference {
  /** Index into the aligned rows. */
  readonly at: number;
}

export interface PairDifference {
  /** In the order of the text. */
  readonly tokens: readonly TokenDifference[];
  /** Over all of them, as in `RowDifferences`. */
  readonly relative: number;
  readonly cosine: number;
  /** Over EOS and PAD of both, row by row, ‖Δ‖_F / ‖z‖_F; NaN where the two have no such row in the same place. */
  readonly padding: number;
}

/** The conditionings of the two programs, as `promptConditionings` gives them for their own options. */
export type PairConditionings = readonly [readonly LazyConditioning[], readonly LazyConditioning[]];

/** Compares the rows of tokens that both encode, the second program's against the first's. */
export function* comparingPrograms(
  { readings, rows }: ProgramReadings,
  [a, b]: ProgramPair,
  conditionings: PairConditionings,
  d: number,
): Slices<PairDifference> {
  const both = [...rows.keys()].filter((i) => isEncoded(rows[i][a]) && isEncoded(rows[i][b]));
  const [inA, inB] = conditionings.map((each) => stacked(each, readings[a].prepared.chunks[0].chunk.tokens.length, d));
  const place = ({ starts }: typeof inA, { conditioning, row }: ProgramToken) => starts[conditioning] + row;
  const pairs = both.map((i): RowPair => [place(inA, rows[i][a]!), place(inB, rows[i][b]!)]);
  const compared = yield* comparingPairs(inA, inB, pairs);
  yield;
  const padding = yield* comparingPairs(inA, inB, commonPadding(readings[a].prepared, readings[b].prepared));
  return {
    tokens: compared.rows.map((difference, i) => ({ ...difference, at: both[i] })),
    relative: compared.relative,
    cosine: compared.cosine,
    padding: padding.relative,
  };
}

function isEncoded(token: ProgramToken | undefined): boolean {
  return token !== undefined && token.chunk !== null;
}

/** Puts the rows of conditionings, in chunks of L, under one another; the chunk read last is kept, as rows are read in order. */
function stacked(conditionings: readonly LazyConditioning[], L: number, d: number) {
  const chunks = conditionings.flatMap(({ n, rowsOf }) => Array.from({ length: n }, (_, at) => () => rowsOf(at)));
  const starts: number[] = [];
  let rows = 0;
  for (const { n } of conditionings) {
    starts.push(rows);
    rows += n * L;
  }
  let last: { readonly chunk: number; readonly rows: Float32Array } | undefined;
  return {
    d,
    /** The row at which each conditioning begins. */
    starts,
    row(at: number): Float32Array {
      const chunk = Math.floor(at / L);
      if (last?.chunk !== chunk) last = { chunk, rows: chunks[chunk]() };
      return last.rows.subarray((at % L) * d, ((at % L) + 1) * d);
    },
  };
}

/** Finds rows that are EOS or PAD in both; none where a program composes several texts. */
function commonPadding(a: PreparedPrompt, b: PreparedPrompt): [number, number][] {
  if (a.texts.length > 1 || b.texts.length > 1) return [];
  const [ofA, ofB] = [a, b].map(({ chunks }) => chunks.flatMap(({ chunk }) => chunk.tokens.map(({ kind }) => kind)));
  const isPadding = (kind: string | undefined) => kind === 'eos' || kind === 'pad';
  return [...ofA.keys()].filter((row) => isPadding(ofA[row]) && isPadding(ofB[row])).map((row) => [row, row]);
}

/** How many words, runs or weights a sentence names. */
const mostNamed = 5;

/** Says in sentences how two programs read the text; `label` gives the text of a token. */
export function pairSentences(
  study: ProgramReadings,
  pair: ProgramPair,
  label: (token: PromptToken) => string,
): string[] {
  const { readings, rows } = study;
  const compared = comparePair(study, pair);
  const runs = (at: readonly number[], syntax: Syntax) => runsOf(study, at, syntax, label);
  const sentences = [countSentence(study, pair, compared, label)];
  for (const [side, syntax] of pair.entries()) {
    const only = compared.only[side];
    if (only.length > 0) sentences.push(`Only ${programs[syntax]} reads ${listed(runs(only, syntax), mostNamed)}.`);
  }
  for (const [side, syntax] of pair.entries()) {
    const cut = compared.cut[side];
    if (cut.length === 0) continue;
    const from = quoted(label(rows[cut[0]][syntax]!.token));
    const what = cut.length === 1 ? `the last token, ${from}` : `${cut.length} tokens, from ${from} on`;
    sentences.push(`${programs[syntax]} cuts off ${what}.`);
  }
  const [a, b] = pair.map((syntax) => ({ name: programs[syntax], ...arrangement(readings[syntax]) }));
  if (a.words !== b.words) sentences.push(`${a.name} encodes this as ${a.words}, ${b.name} as ${b.words}.`);
  return sentences;
}

function countSentence(
  { readings, rows }: ProgramReadings,
  [a, b]: ProgramPair,
  { shared, reweighed, only }: PairReading,
  label: (token: PromptToken) => string,
): string {
  const [nameA, nameB] = [programs[a], programs[b]];
  const [countA, countB] = [readings[a].tokens.length, readings[b].tokens.length];
  if (countA + countB === 0) return `${nameA} and ${nameB} both read the empty prompt.`;
  const isSame = only.every((rows) => rows.length === 0);
  const count = `${nameA} reads ${tokenCount(countA)} and ${nameB} ${countB}`;
  if (shared.length === 0) return `${count}; they have none in common.`;
  const common = shared.length === 1 ? '1 is the same' : `${shared.length} are the same`;
  const beginning = isSame ? `${nameA} and ${nameB} read the same ${tokenCount(countA)}` : `${count}; ${common}`;
  if (reweighed.length === 0) return `${beginning}, ${shared.length === 1 ? 'with' : 'all with'} the same weight.`;
  const weights = weightRuns(rows, reweighed, [a, b], label).map(
    ({ text, weights: [x, y] }) => `${quoted(text)} ${x} against ${y}`,
  );
  return `${beginning}; they weigh ${reweighed.length} of them differently, ${listed(weights, mostNamed)}.`;
}

function tokenCount(count: number): string {
  return count === 1 ? '1 token' : `${count} tokens`;
}

/** Says in how many chunks and texts a program encodes the prompt. */
function arrangement({ prepared: { texts, chunks } }: ProgramReading) {
  const inChunks = chunks.length === 1 ? 'one chunk' : `${chunks.length} chunks`;
  const [{ operator }] = texts;
  if (texts.length === 1 || operator === null) return { words: inChunks };
  const how = { AND: 'composed while sampling', and: 'joined', blend: 'blended row by row' }[operator];
  return { words: `${texts.length} texts in ${inChunks} (${how})` };
}

/** Gives the typed texts of tokens, those that follow one another in a run. */
function runsOf(
  { rows, readings }: ProgramReadings,
  at: readonly number[],
  syntax: Syntax,
  label: (token: PromptToken) => string,
): string[] {
  const { source, dynamic } = readings[syntax].prepared;
  const runs: { text: string; last: number; end: number }[] = [];
  for (const i of at) {
    const { token } = rows[i][syntax]!;
    const { start, end } = token.range!;
    const typed = source.slice(start, end);
    // ComfyUI's page may put a word together from what stands around a brace.
    const isPutTogether = dynamic && !dynamic.isAsTyped && /[{|}/]/.test(typed);
    const text = token.vector || isPutTogether ? label(token) : typed;
    const before = runs.at(-1);
    if (before?.last === i - 1 && start >= before.end) {
      before.text += (start > before.end ? ' ' : '') + text;
      before.last = i;
      before.end = end;
    } else runs.push({ text, last: i, end });
  }
  return runs.map(({ text }) => quoted(text));
}

/** Joins tokens that follow one another and have the same two weights. */
function weightRuns(
  rows: readonly AlignedToken[],
  at: readonly number[],
  [a, b]: ProgramPair,
  label: (token: PromptToken) => string,
) {
  const runs: { text: string; last: number; weights: readonly [string, string] }[] = [];
  const short = (weight: number) => String(Number(weight.toPrecision(4)));
  for (const i of at) {
    const [x, y] = [rows[i][a]!.token, rows[i][b]!.token];
    const weights = [short(x.weight), short(y.weight)] as const;
    const before = runs.at(-1);
    if (before?.last === i - 1 && before.weights[0] === weights[0] && before.weights[1] === weights[1]) {
      before.text += ` ${label(x)}`;
      before.last = i;
    } else runs.push({ text: label(x), last: i, weights });
  }
  return runs;
}

/** Says how far the conditionings are apart, and most at which token; nothing where the two share no encoded token. */
export function differenceSentences(
  { rows }: ProgramReadings,
  [a]: ProgramPair,
  { tokens, relative, cosine, padding }: PairDifference,
  label: (token: PromptToken) => string,
): string[] {
  if (tokens.length === 0) return [];
  if (!Number.isFinite(relative)) return ['Some of the numbers are not finite, so that they cannot be compared.'];
  const furthest = tokens.reduce((most, token) => (token.relative > most.relative ? token : most));
  const word = quoted(label(rows[furthest.at][a]!.token));
  const most = tokens.length > 1 ? `, most at ${word}, by ${share(furthest.relative)}` : '';
  return [
    relative === 0
      ? 'The rows of the tokens that both encode are the same numbers, to the last bit.'
      : `Where both have a token, the numbers differ by ${share(relative)} of their length (mean cosine ${cosine.toFixed(4)})${most}.`,
    ...(padding > 0 ? [`At EOS and the padding, which the U-Net reads too, they differ by ${share(padding)}.`] : []),
  ];
}

/** A share in percent, to two significant digits. */
function share(value: number): string {
  return `${Number((100 * value).toPrecision(2))} %`;
}
