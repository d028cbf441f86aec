/** Says how a prompt was read: its chunks, what is cut, what other programs would read, and what looks like a slip. */
import { readingDifferences } from '../../prompt/across/readings.ts';
import type { Range } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';
import type { Slices } from '../../prompt/slices.ts';
import { programs, type Syntax, syntaxes } from '../../prompt/syntax.ts';
import type { PromptEmbedding } from '../../tokens/promptTokens.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { flavourOf, ownFlavour } from '../../tokens/tokenizerFlavours.ts';
import { wordsOf } from '../../tokens/words.ts';
import { methods, ownMethod } from '../../weighting/methods.ts';
import { number } from '../../weighting/wording.ts';
import type { PromptOptions } from '../options.ts';
import { preparingPrompt } from '../pipeline.ts';
import type { PreparedChunk, PreparedPrompt } from '../preparedPrompt.ts';
import { programOptions } from './programs.ts';
import { counted, listed, quoted, type Sentence, sentence } from './sentence.ts';
import { tokenCount } from './tokenCount.ts';
import { unappliedCodes } from './weightSentences.ts';

/** Says how many tokens there are in which chunks, where chunks part and why, what is cut, and which step this is. */
export function chunkSentences(prepared: PreparedPrompt, { steps, step }: PromptOptions): Sentence[] {
  const { typed, cut, chunks, room } = tokenCount(prepared);
  const lead = { view: 'tokens' } as const;
  const fits =
    typed === 0
      ? 'The prompt is empty: the encoder gets BOS, EOS and PAD alone.'
      : chunks === 1
        ? `${cut > 0 ? '' : 'Nothing is cut: '}${counted(typed, 'token')} of the ${room} that fit into a chunk.`
        : `${cut > 0 ? '' : 'Nothing is cut: '}${counted(typed, 'token')} in ${chunks} chunks, each encoded by itself: no word of one attends to a word of another.`;
  const isCutAlone = cut > 0 && chunks === 1;
  return [
    ...(isCutAlone ? [] : [sentence('chunks', fits, typed === 0 ? [] : [typed, chunks === 1 ? room : chunks], lead)]),
    ...cutSentences(prepared),
    ...partings(prepared),
    ...composed(prepared),
    ...scheduled(prepared, steps, step),
  ];
}

function cutSentences({ texts, source }: PreparedPrompt): Sentence[] {
  return texts.flatMap(({ cut, target }) => {
    const ranges = cut.flatMap(({ range }) => range ?? []);
    if (ranges.length === 0) return [];
    const range = { start: ranges[0].start, end: ranges[ranges.length - 1].end };
    const start = cut.length === 1 ? 'The last token does' : `The last ${cut.length} tokens do`;
    const text = `${start} not fit into the ${target} of a chunk and ${cut.length === 1 ? 'has' : 'have'} no effect, from ${quoted(source.slice(range.start, range.end).split(/\s/)[0])} on.`;
    return [sentence('chunks', text, [...(cut.length === 1 ? [] : [cut.length]), target], { view: 'prompt', range })];
  });
}

/** Chunk borders that are spoken of. */
const mostBorders = 4;

/** Says where each further chunk of a text begins, and why there. */
function partings({ chunks, texts, source }: PreparedPrompt): Sentence[] {
  const borders = chunks.flatMap((chunk, at) => (chunk.index > 0 ? [{ chunk, at }] : []));
  const spoken = borders.slice(0, mostBorders).map(({ chunk, at }) => {
    const before = texts[chunk.text].chunks[chunk.index - 1];
    const lead = { view: 'tokens', chunk: at } as const;
    const word = firstWord(chunk, source);
    if (word === null) return sentence('chunks', `Chunk ${at + 1} is empty.`, [at + 1], lead);
    const isAfterBreak = texts[chunk.text].fragments.some(
      ({ kind, start, end }) => kind === 'break' && lastEnd(before) <= start && end <= word.start,
    );
    const isFull = before.tokens.every(({ kind }) => kind !== 'pad');
    const why = isAfterBreak ? 'after BREAK' : isFull ? 'where the one before is full' : 'so that words stay together';
    return sentence('chunks', `Chunk ${at + 1} begins at ${quoted(word.text)}, ${why}.`, [at + 1], lead);
  });
  const more = borders.length - spoken.length;
  return more > 0
    ? [
        ...spoken,
        sentence('chunks', `${counted(more, 'more chunk')} ${more === 1 ? 'follows' : 'follow'}.`, [more], {
          view: 'tokens',
        }),
      ]
    : spoken;
}

function lastEnd({ tokens }: PreparedChunk['chunk']): number {
  return Math.max(0, ...tokens.map(({ range }) => range?.end ?? 0));
}

/** Finds the first word of a chunk as it was typed; null where it has none. */
function firstWord({ chunk: { tokens } }: PreparedChunk, source: string): { text: string; start: number } | null {
  const typed = tokens.filter(({ range }) => range !== null);
  const word = wordsOf(typed)[0] ?? typed.slice(0, 1);
  if (word.length === 0) return null;
  const start = word[0].range!.start;
  return { text: source.slice(start, word[word.length - 1].range!.end), start };
}

const compositions = {
  AND: 'are encoded apart, and the sampler adds up what the U-Net makes of each, by guidance',
  and: 'are encoded apart, and their rows follow one another, with weights',
  blend: 'are encoded apart, and their rows are added up, times',
} as const;

/** Says what the texts of AND, .and() and .blend() are for. */
function composed({ texts }: PreparedPrompt): Sentence[] {
  const operators = [...new Set(texts.flatMap(({ operator }) => operator ?? []))];
  return operators.map((operator) => {
    const parts = texts.filter((text) => text.operator === operator);
    const weights = parts.map(({ weight }) => weight);
    const text = `${counted(parts.length, 'text')} of ${operator === 'AND' ? operator : `.${operator}()`} ${compositions[operator]} ${listed(weights.map(number), 6)}.`;
    return sentence('chunks', text, [parts.length, ...weights.slice(0, 6)], { view: 'tokens' });
  });
}

/** Says that the prompt changes from step to step. */
function scheduled({ texts }: PreparedPrompt, steps: number, step: number): Sentence[] {
  const different = Math.max(...texts.map((text) => new Set(text.steps.map(({ parsed }) => parsed)).size));
  if (different < 2) return [];
  const text = `The prompt changes on the way: ${different} different texts in ${steps} steps. All that stands here is about step ${step}.`;
  return [sentence('chunks', text, [different, steps, step], { view: 'tokens' })];
}

/** Everything that a prompt is read with. */
export interface Reader {
  readonly options: PromptOptions;
  readonly tokenizer: Tokenizer;
  readonly side: Side;
  readonly embeddings: readonly PromptEmbedding[];
}

/** Says what each of the other programs would make of the prompt as it is typed. */
export function* programSentences(prepared: PreparedPrompt, reader: Reader): Slices<Sentence[]> {
  const sentences: Sentence[] = [];
  if (prepared.source.trim() === '') return sentences;
  for (const syntax of syntaxes)
    if (syntax !== reader.options.syntax) sentences.push(yield* programSentence(prepared, syntax, reader));
  return sentences;
}

function* programSentence(here: PreparedPrompt, syntax: Syntax, reader: Reader): Slices<Sentence> {
  const { options, tokenizer, side, embeddings } = reader;
  const there = yield* preparingPrompt(here.source, programOptions(options, syntax), tokenizer, side, embeddings);
  yield;
  if (there.refusal) return sentence('programs', `${programs[syntax]}’s reading is left out. ${there.refusal}`);
  const fragmentsOf = ({ texts }: PreparedPrompt) =>
    texts.flatMap(({ fragments }) => fragments.filter(({ kind }) => kind === 'text'));
  const differences = readingDifferences(here.source, fragmentsOf(here), fragmentsOf(there));
  const names = (kept: typeof differences) => kept.map(({ text }) => quoted(text));
  yield;
  const asText = names(differences.filter((difference) => difference.here === null));
  const asMarks = names(differences.filter((difference) => difference.there === null));
  const weighed = differences.flatMap(({ text, here, there }) =>
    here !== null && there !== null ? [`${quoted(text)} ${number(there)} instead of ${number(here)}`] : [],
  );
  const counts = { here: tokenCount(here), there: tokenCount(there) };
  const more = counts.there.typed - counts.here.typed;
  const retokenised =
    ownFlavour[syntax] === flavourOf(options) ? [] : otherTokens(here, there, differences).map((text) => quoted(text));
  yield;
  const how = [
    ...(asText.length > 0 ? [`read ${listed(asText)} as text`] : []),
    ...(asMarks.length > 0 ? [`not encode ${listed(asMarks)}`] : []),
    ...(weighed.length > 0 ? [`weigh ${listed(weighed)}`] : []),
    ...(retokenised.length > 0 ? [`make other tokens of ${listed(retokenised)}`] : []),
  ];
  const count = [
    ...(more === 0 ? [] : [`${counted(Math.abs(more), more > 0 ? 'more token' : 'token')}${more > 0 ? '' : ' fewer'}`]),
    ...(counts.there.chunks === counts.here.chunks
      ? []
      : [`${counted(counts.there.chunks, 'chunk')} instead of ${counts.here.chunks}`]),
    ...(counts.there.cut === counts.here.cut ? [] : [cutCount(counts.there.cut)]),
  ];
  const program = programs[syntax];
  const isWeighed = here.texts.some(({ applied }) => applied.some((weights) => weights.some((weight) => weight !== 1)));
  const own = ownMethod[syntax];
  const { formula } = methods[own];
  const empty = /\be\b/.test(formula) ? ', e being the empty prompt’s row' : '';
  const otherMethod =
    isWeighed && own !== options.weighting ? `, and weigh each row z by another formula, ${formula}${empty}` : '';
  const read = how.length > 0 ? listed(how) : count.length > 0 ? 'read the same words and weights' : 'read the same';
  const tail = count.length > 0 ? `: ${count.join(', ')}` : how.length > 0 ? '' : otherMethod;
  return sentence('programs', `${program} would ${read}${tail}.`, more === 0 ? [] : [Math.abs(more)], {
    view: 'programs',
  });
}

/** Lists the stretches that both encode as text, each in tokens of its own, as they are typed. */
function otherTokens(here: PreparedPrompt, there: PreparedPrompt, unlike: readonly Range[]): string[] {
  const known = new Set(typedTokens(there).map(({ id, start, end }) => `${id} ${start} ${end}`));
  const isUnlike = new Uint8Array(here.source.length);
  for (const { start, end } of unlike) isUnlike.fill(1, start, end);
  const runs: { start: number; end: number }[] = [];
  for (const { id, start, end } of typedTokens(here)) {
    if (known.has(`${id} ${start} ${end}`) || isUnlike.subarray(start, end).includes(1)) continue;
    const last = runs.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else runs.push({ start, end });
  }
  return runs.map(({ start, end }) => here.source.slice(start, end)).filter((text) => /[^\t-\r -~]|&/.test(text));
}

/** Gives the ids of the text, also of what is cut off, and where each was typed. */
function typedTokens({
  texts,
}: PreparedPrompt): { readonly id: number; readonly start: number; readonly end: number }[] {
  return texts
    .flatMap(({ chunks, cut }) => [...chunks.flatMap(({ tokens }) => tokens), ...cut])
    .flatMap(({ kind, id, range }) => (kind === 'text' && range ? [{ id, ...range }] : []));
}

function cutCount(cut: number): string {
  if (cut === 0) return 'nothing cut off';
  return cut === 1 ? 'the last token cut off' : `the last ${cut} tokens cut off`;
}

/** Messages that are repeated. */
const mostMistakes = 5;
/** Messages that other sentences say. */
const saidElsewhere = [...unappliedCodes, 'tokens-cut'];

/** Repeats the errors and warnings about the prompt. */
export function mistakeSentences({ diagnostics, source }: PreparedPrompt): Sentence[] {
  const all = diagnostics.filter(({ code, severity }) => severity !== 'info' && !saidElsewhere.includes(code));
  const named = all.slice(0, mostMistakes).map(({ message, start, end }) => {
    const typed = quoted(source.slice(start, end));
    const text = start === end || message.includes(typed) ? message : `${typed}: ${message}`;
    return sentence('mistakes', text, [], { view: 'prompt', range: { start, end } });
  });
  const more = all.length - named.length;
  return more > 0
    ? [...named, sentence('mistakes', `${counted(more, 'more message')} below the prompt.`, [more])]
    : named;
}
