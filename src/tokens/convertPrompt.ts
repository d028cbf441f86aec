import { parseText, readA1111Prompt, type StepOptions } from '../prompt/a1111/a1111Prompt.ts';
import { type Network, promptLoras } from '../prompt/a1111/extraNetworks.ts';
import { textAtStep } from '../prompt/a1111/promptSchedule.ts';
import { decimal, type Piece, printPrompt } from '../prompt/across/translate.ts';
import type { Fragment, Range } from '../prompt/ast.ts';
import type { Chooser } from '../prompt/comfy/dynamicPrompt.ts';
import { typedForPage } from '../prompt/comfy/typedForPage.ts';
import { compelLoraName } from '../prompt/compel/compelLoraName.ts';
import { type CompelItem, parseCompel } from '../prompt/compel/compelPrompt.ts';
import { parsePrompt } from '../prompt/parsePrompt.ts';
import { type Slices, whole } from '../prompt/slices.ts';
import { typedRange } from '../prompt/sourceText.ts';
import { programs, type Syntax } from '../prompt/syntax.ts';
import { commonPlaces } from './align.ts';
import { chunkRoom } from './chunks/a1111Chunks.ts';
import type { SplitMode } from './chunks/compelChunks.ts';
import type { PromptEmbedding } from './promptTokens.ts';
import type { Tokenizer } from './tokenizer.ts';
import { flavourOf, type TokenizerChoice, type TokenizerFlavour } from './tokenizerFlavours.ts';
import { nameIn, type VectorPiece, vectorCutter } from './vectorPieces.ts';

/** A token of either prompt, or a BREAK. */
export interface ConversionRow {
  /** `missing` is only in the source, `added` only in what it was converted to. */
  readonly kind: 'same' | 'weight' | 'missing' | 'added';
  /** Vocabulary entry, what an embedding is called there (with the number of its vector, if it has several), or BREAK. */
  readonly text: string;
  /** Weight in the source; null if it is not there, and for a BREAK. */
  readonly weight: number | null;
  /** Weight in the converted prompt; null likewise. */
  readonly converted: number | null;
  readonly range: Range | null;
  readonly convertedRange: Range | null;
  /** The embedding that this row is a vector of. One that is not open has no vectors, and ComfyUI leaves it out. */
  readonly embedding?: { readonly name: string; readonly isOpen: boolean };
  /** Compel cuts it off, and the other program does not. */
  readonly isCut?: boolean;
}

export interface Loss {
  /** One clear sentence: what of the prompt the other program does not get, and why. */
  readonly message: string;
  /** In the source. */
  readonly range: Range;
}

export interface Conversion {
  readonly text: string;
  /** Whether no row differs: all tokens, vectors and BREAKs are there, and weigh the same within 1e-6. */
  readonly isSame: boolean;
  readonly rows: readonly ConversionRow[];
  /** Something for every row that differs, and what is in the prompt besides tokens: schedules, networks, comments. */
  readonly lost: readonly Loss[];
}

/**
 * A prompt in the language of another program, read again in that and compared token by token. Never throws. What is
 * encoded apart (the parts of AND, `.and()` and `.blend()`) is put into chunks of their own. `embeddings` are the textual
 * inversions that either program has. `chooser` makes the choices of ComfyUI's page; without one ComfyUI's prompts are for
 * its API. `ways` say how A1111 and Compel read; only the first step of a schedule is converted.
 */
export function convertPrompt(...conversion: Parameters<typeof convertingPrompt>): Conversion {
  return whole(convertingPrompt(...conversion));
}

/** Does the work of `convertPrompt` in slices. */
export function* convertingPrompt(
  source: string,
  from: Syntax,
  to: Syntax,
  tokenizer: Tokenizer,
  choice: TokenizerChoice = 'hf-slow-ftfy',
  role: 'positive' | 'negative' = 'positive',
  embeddings: readonly PromptEmbedding[] = [],
  chooser?: Chooser,
  ways: ReadingWays = {},
): Slices<Conversion> {
  const { fragments, lost, loras } = read(source, from, role, to, chooser, ways);
  const flavourIn = (syntax: Syntax) => flavourOf({ tokenizer: choice, syntax });
  const cutIn = (fragments: readonly Fragment[], syntax: Syntax): CutFragment[] => {
    const cut = vectorCutter(embeddings, syntax, tokenizer, flavourIn(syntax));
    return fragments.map((fragment) => ({ fragment, pieces: fragment.kind === 'break' ? [] : cut(fragment) }));
  };
  const names = new Map(embeddings.toReversed().map((one) => [one.vectors[0], one]));
  const ids = new Map(
    embeddings.flatMap(({ vectors }) => vectors).map((vector, i) => [vector, tokenizer.vocabSize + i]),
  );
  const labels = new Map(embeddings.flatMap((one) => one.vectors.map((vector, i) => [vector, labelOf(one, i)])));
  const unitsIn = (cut: readonly CutFragment[], syntax: Syntax) =>
    unitsOf(cut, { tokenizer, flavour: flavourIn(syntax), ids, labels });

  yield;
  const cut = cutIn(fragments, from);
  yield;
  const printed = cut.map(
    ({ fragment, pieces }): Fragment => ({ ...fragment, text: textIn(pieces, fragment, to, names) }),
  );
  const pieces = to === 'a1111' ? withSecondBreak(piecesOf(printed, from)) : piecesOf(printed, from);
  const said = withLoras(printPrompt(pieces, to, ways).trim(), loras, to);
  const text = to === 'comfy' && chooser ? typedForPage(said) : said;
  yield;
  const again = read(text, to, role, from, chooser, ways);
  yield;
  const room = chunkRoom(tokenizer);
  const isCut = (syntax: Syntax) => syntax === 'compel' && (ways.split ?? 'cut') === 'cut';
  const marked = (units: Unit[], syntax: Syntax) => (isCut(syntax) ? withCut(units, room) : units);
  const units = marked(unitsIn(cut, from), from);
  yield;
  const unitsAgain = marked(unitsIn(cutIn(again.fragments, to), to), to);
  yield;
  const rows = align(units, unitsAgain);
  yield;
  const isRetokenised = ({ range, convertedRange }: ConversionRow) =>
    flavourIn(from) !== flavourIn(to) && isCleanedUp(range ? typedIn(source, range) : typedIn(text, convertedRange!));
  return {
    text,
    isSame: rows.every(({ kind }) => kind === 'same'),
    rows,
    lost: [
      ...lost,
      ...lostLoras(loras, again.loras, programs[to]),
      ...lossesOf(rows, { fragments, embeddings, room, from, to, ways, isRetokenised }),
    ].sort((a, b) => a.range.start - b.range.start),
  };
}

/** How A1111 reads brackets and schedules, and whether Compel cuts what is after its first chunk, as it does by default. */
export interface ReadingWays extends Partial<StepOptions> {
  readonly split?: 'cut' | SplitMode;
}

/** A LoRA with one weight, which A1111 and Compel can both name. */
interface NamedLora {
  readonly name: string;
  readonly weight: number;
  readonly range: Range;
}

interface Reading {
  readonly fragments: readonly Fragment[];
  /** Losses already known from the reading: what `to` cannot say. */
  readonly lost: readonly Loss[];
  /** LoRAs that `to` may be able to name. */
  readonly loras: readonly NamedLora[];
}

function read(
  source: string,
  syntax: Syntax,
  role: 'positive' | 'negative',
  to: Syntax,
  chooser: Chooser | undefined,
  ways: ReadingWays,
): Reading {
  switch (syntax) {
    case 'a1111':
      return readA1111(source, role, to, ways);
    case 'compel':
      return readCompel(source, to, role);
    case 'comfy':
      return readComfy(source, to, chooser);
    default:
      return syntax satisfies never;
  }
}

function readA1111(source: string, role: 'positive' | 'negative', to: Syntax, ways: ReadingWays): Reading {
  const program = programs[to];
  const { comments, networks, parts } = readA1111Prompt(source, { role });
  const loss = (message: string, { start, end }: Range): Loss => ({ message, range: { start, end } });
  const wanted = networks.filter(isLora);
  // A1111 loads none if it cannot read the numbers of one.
  const loads = wanted.every(({ multipliers }) => Number.isFinite(multipliers?.te));
  const { steps = 20, useOldScheduling, emphasis, squareFactor } = ways;
  const brackets = { emphasis, squareFactor };
  const texts = parts.map(({ schedule }) =>
    withoutLastBreak(parseText(textAtStep(schedule, 1, { steps, useOldScheduling }), brackets).fragments),
  );
  const lost = [
    ...comments.map((node) => loss(`${program} has no such comments, so this one is left out.`, node)),
    ...networks.flatMap((node) => {
      const message = networkLoss(node, loads, to);
      return message === null ? [] : [loss(message, node)];
    }),
    ...parts
      .slice(1)
      .map(({ start }, i) =>
        loss(
          `${program} cannot draw from several prompts by AND, so what follows it is a chunk of its own.`,
          between(parts[i].end, start),
        ),
      ),
    ...parts.flatMap(({ number }) =>
      number ? [loss(`${program} knows no weight of a whole prompt, so this one is left out.`, number)] : [],
    ),
    ...parts.flatMap(({ schedule }) =>
      schedule.nodes.flatMap((node) =>
        node.type === 'text'
          ? []
          : [loss(`${program} schedules nothing, so only what is there at the first step is converted.`, node)],
      ),
    ),
  ];
  // A1111 adds a name that stands twice by its last number, both times.
  const loras = promptLoras(networks).map(({ name, multiplier }, i): NamedLora => {
    const { start, end } = wanted[i];
    return { name, weight: multiplier, range: { start, end } };
  });
  return { fragments: inChunks(texts), lost, loras: to === 'compel' ? summed(loras) : [] };
}

/** One for each name, with the sum of its weights: that is what is added, however often it is named. */
function summed(loras: readonly NamedLora[]): NamedLora[] {
  const byName = new Map<string, NamedLora>();
  for (const lora of loras) {
    const before = byName.get(lora.name);
    byName.set(lora.name, before ? { ...before, weight: before.weight + lora.weight } : lora);
  }
  return [...byName.values()];
}

const isEmpty = ({ kind, text }: Piece) => kind !== 'break' && text.trim() === '';

/** Leaves out a BREAK that nothing follows: A1111 begins no chunk there. */
function withoutLastBreak(fragments: readonly Fragment[]): readonly Fragment[] {
  const last = fragments.findLastIndex((fragment) => !isEmpty(fragment));
  return fragments[last]?.kind === 'break' ? fragments.slice(0, last) : fragments;
}

/** Writes a BREAK at the end twice, so that A1111 begins a chunk after the first. */
function withSecondBreak(pieces: readonly Piece[]): readonly Piece[] {
  const last = pieces.findLast((piece) => !isEmpty(piece));
  return last?.kind === 'break' ? [...pieces, last] : pieces;
}

function readComfy(source: string, to: Syntax, chooser: Chooser | undefined): Reading {
  const { fragments, page } = parsePrompt(source, 'comfy', chooser);
  const program = programs[to];
  const { comments = [], choices = [] } = page ?? {};
  const lost = [
    ...comments.map(({ start, end }) => {
      return { message: 'ComfyUI’s page removes this comment, so it is left out.', range: { start, end } };
    }),
    ...choices
      .filter(({ options }) => options.length > 1)
      .map(({ start, end }) => {
        const message = `${program} chooses nothing, so only what ComfyUI’s page chose this time is converted.`;
        return { message, range: { start, end } };
      }),
  ];
  return { fragments, lost, loras: [] };
}

function isLora({ kind }: Network): boolean {
  return kind === 'lora' || kind === 'lyco';
}

/** Says what of a network gets lost; null if nothing does as long as the program can name it. */
function networkLoss(network: Network, loads: boolean, to: Syntax): string | null {
  const program = programs[to];
  if (to !== 'compel') return `${program} loads no networks from a prompt, so this one is left out.`;
  if (!isLora(network)) return `${program} loads no networks but LoRAs from a prompt, so this one is left out.`;
  if (!loads) return 'A1111 loads no LoRA where it cannot read the numbers of one, so this one is left out.';
  const { te, unet, dyn } = network.multipliers!;
  if (unet !== te) return `${program} knows one weight of a LoRA, so the ${decimal(unet)} for the U-Net is left out.`;
  return dyn === null ? null : `${program} cuts no LoRA to a rank, so the ${dyn} is left out.`;
}

/** At the end of the text, or of its last chunk. */
function withLoras(text: string, loras: readonly NamedLora[], to: Syntax): string {
  if (loras.length === 0) return text;
  if (to === 'a1111')
    return [text, ...loras.map(({ name, weight }) => `<lora:${name}:${decimal(weight)}>`)].join(' ').trim();
  const calls = loras
    .filter(({ name }) => compelLoraName.test(name))
    .map(({ name, weight }) => `withLora(${name}, ${decimal(weight)})`)
    .join(' ');
  const chunks = /^(\(".*)("\)\.and\(\))$/s.exec(text);
  return chunks ? `${chunks[1]} ${calls}${chunks[2]}` : `${text} ${calls}`.trim();
}

/** Losses for the LoRAs that the converted prompt does not name. */
function lostLoras(loras: readonly NamedLora[], converted: readonly NamedLora[], program: string): Loss[] {
  const named = new Map(converted.map(({ name, weight }) => [name, weight]));
  return loras.flatMap(({ name, weight, range }) =>
    isClose(weight, named.get(name) ?? null)
      ? []
      : [{ message: `${program} cannot name this LoRA, so it is left out.`, range }],
  );
}

function readCompel(source: string, to: Syntax, role: 'positive' | 'negative'): Reading {
  const program = programs[to];
  const parsed = parseCompel(source);
  const loras = parsed.loras.map(({ name, weight, start, end }): NamedLora => {
    return { name, weight, range: { start, end } };
  });
  const canName = to === 'a1111' && role === 'positive';
  const from = to === 'a1111' ? 'the negative prompt' : 'a prompt';
  const lost: Loss[] = canName
    ? []
    : loras.map(({ range }) => ({ message: `${program} loads no LoRA from ${from}, so this one is left out.`, range }));
  const swaps = (items: readonly CompelItem[]) => {
    for (const item of items)
      if (item.kind === 'swap') {
        const message = `${program} knows no .swap(), so only what is swapped away is converted.`;
        lost.push({ message, range: { start: item.start, end: item.end } });
      }
  };
  const chunks = parsed.parts.flatMap(({ content, weight }) => {
    const { start, end } = content;
    if (weight !== 1) {
      const message = `${program} weighs no chunk by itself, so the ${weight} of this part of .and() is left out.`;
      lost.push({ message, range: { start, end } });
    }
    if (content.kind === 'blend') {
      const message = `${program} takes no mean of prompts, so the parts of .blend() are chunks of their own.`;
      lost.push({ message, range: { start, end } });
    }
    const prompts = content.kind === 'blend' ? content.prompts : [content];
    return prompts.map(({ items, fragments }) => {
      swaps(items);
      return fragments;
    });
  });
  return { fragments: inChunks(chunks), lost, loras: canName ? summed(loras) : [] };
}

function between(a: number, b: number): Range {
  return { start: Math.min(a, b), end: Math.max(a, b) };
}

/** Joins texts with a BREAK between them. */
function inChunks(texts: readonly (readonly Fragment[])[]): Fragment[] {
  return texts.flatMap((fragments, i) => {
    if (i === 0) return fragments;
    const range = between(texts[i - 1].at(-1)?.end ?? 0, fragments.at(0)?.start ?? 0);
    return [{ kind: 'break', text: 'BREAK', weight: -1, starts: [], ends: [], ...range }, ...fragments];
  });
}

/**
 * Puts a space between neighbours that the next program would join though they were tokenised apart, and between Compel's
 * fragments, which are apart without holding a space.
 */
function piecesOf(fragments: readonly Fragment[], from: Syntax): Piece[] {
  return fragments.flatMap((fragment, i): Piece[] => {
    const before = fragments[i - 1];
    if (!before || before.kind === 'break' || fragment.kind === 'break') return [fragment];
    const joins = decimal(before.weight) === decimal(fragment.weight);
    const isApart = from === 'compel' && !/^[,.;:!?]/.test(fragment.text);
    return joins || isApart ? [{ kind: 'text', text: ' ', weight: 1 }, fragment] : [fragment];
  });
}

/** A token, a vector, or a BREAK, the id of which is −1. */
interface Unit {
  readonly id: number;
  readonly text: string;
  readonly weight: number | null;
  readonly range: Range;
  readonly embedding?: ConversionRow['embedding'];
  /** Compel cuts it off. */
  readonly isCut?: boolean;
}

/** A fragment cut where its program puts vectors. */
interface CutFragment {
  readonly fragment: Fragment;
  readonly pieces: readonly VectorPiece[];
}

/** The text of a fragment with its embeddings called by their names in `to`. `names` finds an embedding by its first vector. */
function textIn(
  pieces: readonly VectorPiece[],
  { text }: Fragment,
  to: Syntax,
  names: ReadonlyMap<Float32Array, PromptEmbedding>,
): string {
  if (pieces.every(({ vectors, unknown }) => vectors.length === 0 && unknown === undefined)) return text;
  const said: string[] = [];
  let isNamed = false;
  for (const { source, vectors, unknown } of pieces) {
    const embedding = names.get(vectors[0]);
    const isWhole = embedding?.vectors.length === vectors.length;
    const next = isWhole ? nameIn(embedding, to) : (unknown ?? source.text);
    const parts = isNamed || isWhole || unknown !== undefined;
    const before = said.findLast((piece) => piece !== '')?.at(-1);
    const isApart = before === undefined || before === ' ' || before === '\n';
    if (parts && !isApart && !/^(\s|,+(\s|$))/.test(next)) said.push(' ');
    said.push(next);
    isNamed = isWhole || unknown !== undefined;
  }
  const written = said.join('');
  // ComfyUI's pieces have no space around them.
  const before = /^\s/.test(text) && !/^\s/.test(written) ? ' ' : '';
  const after = /\s$/.test(text) && !/\s$/.test(written) ? ' ' : '';
  return `${before}${written}${after}`;
}

type Label = Pick<Unit, 'text' | 'embedding'>;

function labelOf({ name, vectors }: PromptEmbedding, index: number): Label {
  return { text: vectors.length === 1 ? name : `${name} ${index + 1}`, embedding: { name, isOpen: true } };
}

interface Identities {
  readonly tokenizer: Tokenizer;
  readonly flavour: TokenizerFlavour;
  /** Ids of vectors, numbered after the vocabulary. */
  readonly ids: ReadonlyMap<Float32Array, number>;
  readonly labels: ReadonlyMap<Float32Array, Label>;
}

function unitsOf(cut: readonly CutFragment[], { tokenizer, flavour, ids, labels }: Identities): Unit[] {
  return cut.flatMap(({ fragment, pieces }): Unit[] => {
    const { kind, weight, start, end } = fragment;
    if (kind === 'break') return [{ id: breakId, text: 'BREAK', weight: null, range: { start, end } }];
    return pieces.flatMap(({ source, vectors, unknown }): Unit[] => {
      const range = typedRange(source, 0, source.text.length) ?? { start, end: start };
      if (unknown !== undefined) {
        const embedding = { name: unknown, isOpen: false };
        return [{ id: unknownId, text: `embedding:${unknown}`, weight, range, embedding }];
      }
      if (vectors.length > 0)
        return vectors.map((vector) => {
          const { text, embedding } = labels.get(vector)!;
          return { id: ids.get(vector)!, text, weight, range, embedding };
        });
      return tokenizer
        .tokenize(source, flavour)
        .map(({ id, text, start, end }) => ({ id, text, weight, range: { start, end } }));
    });
  });
}

/** Marks what Compel cuts off: all after the first `room` tokens of each text. BREAKs stand between texts. */
function withCut(units: readonly Unit[], room: number): Unit[] {
  let tokens = 0;
  return units.map((unit) => {
    tokens = unit.id === breakId ? 0 : tokens + 1;
    return tokens > room ? { ...unit, isCut: true } : unit;
  });
}

const breakId = -1;

/** Id of an embedding that is not open, which only ComfyUI knows. */
const unknownId = -2;

function align(source: readonly Unit[], converted: readonly Unit[]): ConversionRow[] {
  const isSame = (a: number, b: number) => source[a].id === converted[b].id;
  let first = 0;
  while (first < Math.min(source.length, converted.length) && isSame(first, first)) first++;
  let [endA, endB] = [source.length, converted.length];
  while (endA > first && endB > first && isSame(endA - 1, endB - 1)) {
    endA--;
    endB--;
  }
  const rows: ConversionRow[] = [];
  const alone = (row: ConversionRow, { isCut }: Unit) => isCut || rows.push(row);
  const both = (a: number, b: number) => {
    const [here, there] = [source[a], converted[b]];
    if (!here.isCut && !there.isCut) rows.push(pairRow(here, there));
    else if (!here.isCut) rows.push({ ...missingRow(here), isCut: true });
    else if (!there.isCut) rows.push({ ...addedRow(there), isCut: true });
  };
  for (let i = 0; i < first; i++) both(i, i);
  let [a, b] = [first, first];
  for (const [nextA, nextB] of commonPlaces(source.slice(first, endA), converted.slice(first, endB))) {
    for (; a < first + nextA; a++) alone(missingRow(source[a]), source[a]);
    for (; b < first + nextB; b++) alone(addedRow(converted[b]), converted[b]);
    both(a++, b++);
  }
  for (; a < endA; a++) alone(missingRow(source[a]), source[a]);
  for (; b < endB; b++) alone(addedRow(converted[b]), converted[b]);
  for (; a < source.length; a++, b++) both(a, b);
  return rows;
}

function pairRow(source: Unit, converted: Unit): ConversionRow {
  return {
    kind: isClose(source.weight, converted.weight) ? 'same' : 'weight',
    text: source.text,
    weight: source.weight,
    converted: converted.weight,
    range: source.range,
    convertedRange: converted.range,
    embedding: source.embedding,
  };
}

function missingRow({ text, weight, range, embedding }: Unit): ConversionRow {
  return { kind: 'missing', text, weight, converted: null, range, convertedRange: null, embedding };
}

function addedRow({ text, weight, range, embedding }: Unit): ConversionRow {
  return { kind: 'added', text, weight: null, converted: weight, range: null, convertedRange: range, embedding };
}

function isClose(a: number | null, b: number | null): boolean {
  if (a === null || b === null || Object.is(a, b)) return a === b || Object.is(a, b);
  return Number.isFinite(a) && Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a));
}

/** Why rows differ; one for neighbours with the same reason. */
function lossesOf(
  rows: readonly ConversionRow[],
  { fragments, ...given }: Omit<Reasons, 'has'> & { readonly fragments: readonly Fragment[] },
): Loss[] {
  const known = new Map<string, boolean>();
  const has = (what: string) => {
    const isKnown = known.get(what) ?? fragments.some(({ text }) => text.includes(what));
    known.set(what, isKnown);
    return isKnown;
  };
  const conversion = { ...given, has };
  const losses: { message: string; range: Range }[] = [];
  let place: Range = { start: 0, end: 0 };
  let differed = false;
  for (const row of rows) {
    const follows = differed;
    place = row.range ?? { start: place.end, end: place.end };
    differed = row.kind !== 'same';
    if (!differed) continue;
    const last = losses.at(-1);
    // A row in place of a lost one is there for the same reason.
    const message = follows && row.kind === 'added' && last ? last.message : reason(row, conversion);
    if (follows && last?.message === message)
      last.range = { start: Math.min(last.range.start, place.start), end: Math.max(last.range.end, place.end) };
    else losses.push({ message, range: place });
  }
  return losses;
}

/** The material that reasons are drawn from. */
interface Reasons {
  /** Whether some fragment of the source has this in its text. */
  readonly has: (what: string) => boolean;
  readonly embeddings: readonly PromptEmbedding[];
  /** Tokens of a chunk between BOS and EOS. */
  readonly room: number;
  readonly from: Syntax;
  readonly to: Syntax;
  readonly ways: ReadingWays;
  /** Whether the two tokenizers may read what a row is of differently. */
  isRetokenised(row: ConversionRow): boolean;
}

/** Gives what a token was typed as, with the characters beside it: clean-up joins it to those. */
const typedIn = (text: string, { start, end }: Range) => text.slice(Math.max(0, start - 1), end + 1);

/** Whether text has characters that tokenizers clean up, each in its own way. */
function isCleanedUp(text: string): boolean {
  return /[^\t-\r -~]|&/.test(text);
}

function reason(row: ConversionRow, { has, embeddings, room, from, to, ways, isRetokenised }: Reasons): string {
  const { kind, text, weight } = row;
  const program = programs[to];
  if (row.isCut) {
    const cut = `Compel encodes the first ${room} tokens of a prompt alone, unless it is told to split it`;
    return kind === 'missing' ? `${cut}, so the rest is cut off.` : `${cut}, and ${program} encodes all of it.`;
  }
  const isComment = to === 'a1111' && has('#');
  const comment = 'A1111 takes “#” and the rest of its line for a comment, and nothing escapes it.';
  if (kind !== 'weight' && row.embedding) {
    const name = excerpt(row.embedding.name);
    if (!row.embedding.isOpen) {
      if (kind === 'added') return `ComfyUI takes “embedding:” for the name of a file, and leaves “${name}” out.`;
      return `No embedding “${name}” is open here to compare, so only its name is kept, which ${program} encodes as text unless it has that file.`;
    }
    if (kind === 'added') return `${program} puts the embedding “${name}” where this is text.`;
    const one = embeddings.find((embedding) => embedding.name === row.embedding?.name);
    if (to === 'a1111' && one && one.vectors.length > room)
      return `A1111 takes no embedding of more than ${room} vectors, so “${name}” is encoded as text.`;
    if (isComment) return comment;
    if (to === 'compel' && weight !== 1)
      return `Compel does not find the embedding “${name}” where its name is weighed, so its vectors are lost.`;
    return `${program} does not find the embedding “${name}” by any name written here, so its vectors are lost.`;
  }
  if (text === 'BREAK' && kind === 'missing' && to === 'comfy')
    return 'ComfyUI has no BREAK, so the chunks follow one another: encode each by itself and join them with ConditioningConcat.';
  if (text === 'BREAK' && kind === 'missing' && to === 'a1111' && ways.emphasis === false)
    return 'In emphasis mode None A1111 has no BREAK, so the chunks follow one another.';
  if (kind === 'weight' && weight !== null) {
    if (to === 'a1111' && ways.emphasis === false)
      return 'A1111’s emphasis mode None takes brackets for characters, so this weighs 1.';
    if (!Number.isFinite(weight)) return `${program} takes no weight that is not a finite number, so this weighs 1.`;
    if (to === 'compel' && weight < 0) return 'Compel takes no negative weight, so this weighs 0.';
    if (to === 'compel')
      return 'Compel cannot weigh “=”, nor signs, commas and full stops that touch one another, so this weighs 1.';
  }
  if (isComment) return comment;
  if (kind !== 'weight' && isRetokenised(row))
    return `${program}’s tokenizer cleans these characters up otherwise than ${programs[from]}’s.`;
  if (to === 'a1111' && (weight === -1 || text === 'BREAK'))
    return 'A1111 takes the word BREAK at a weight of −1 for the end of a chunk, and cannot encode it.';
  if (to === 'comfy' && has('embedding:'))
    return 'ComfyUI takes “embedding:” for the name of a file, and cannot encode it as text.';
  const taken = embeddings.find((one) => has(nameIn(one, to)));
  if (taken && kind === 'missing')
    return `${program} takes “${excerpt(nameIn(taken, to))}” for the embedding of that name.`;
  if (to === 'compel')
    return 'Compel reads signs, commas and backslashes that touch one another otherwise, and cannot encode this as it is.';
  return `${program} cannot say this as it is.`;
}

function excerpt(name: string): string {
  return name.length > 60 ? `${name.slice(0, 59)}…` : name;
}
