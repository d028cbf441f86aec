import { parseA1111 } from '../prompt/a1111.ts';
import { readA1111Prompt } from '../prompt/a1111Prompt.ts';
import type { Fragment, Node, Range } from '../prompt/ast.ts';
import { parseComfy } from '../prompt/comfy.ts';
import { type CompelItem, parseCompel } from '../prompt/compel.ts';
import { textAtStep } from '../prompt/schedule.ts';
import { programs, type Syntax } from '../prompt/syntax.ts';
import { decimal, type Piece, printPrompt } from '../prompt/translate.ts';
import type { Tokenizer } from './tokenizer.ts';
import type { TokenizerFlavour } from './tokenizerFlavours.ts';
import { fragmentTokens } from './tokens.ts';

/** A token of either prompt, or a BREAK. */
export interface ConversionRow {
  /** `missing` is only in the source, `added` only in what it was converted to. */
  readonly kind: 'same' | 'weight' | 'missing' | 'added';
  /** Vocabulary entry, or BREAK. */
  readonly text: string;
  /** In the source; null where it is not there, and of a BREAK. */
  readonly weight: number | null;
  /** In what it was converted to; null likewise. */
  readonly converted: number | null;
  readonly range: Range | null;
  readonly convertedRange: Range | null;
}

export interface Loss {
  /** One clear sentence: what of the prompt the other program does not get, and why. */
  readonly message: string;
  /** In the source. */
  readonly range: Range;
}

export interface Conversion {
  readonly text: string;
  /** Whether no row differs: all tokens and BREAKs are there, and weigh the same within 1e-6. */
  readonly isSame: boolean;
  readonly rows: readonly ConversionRow[];
  /** Something for every row that differs, and what is in the prompt besides tokens: schedules, networks, comments. */
  readonly lost: readonly Loss[];
}

/** Where a schedule is read, its first step is taken: of the 20 steps A1111 begins with. */
const steps = 20;

/**
 * A prompt in the language of another program, read again in that and compared token by token. Never throws. What is
 * encoded apart (the parts of AND, `.and()` and `.blend()`) is put into chunks of their own.
 */
export function convertPrompt(
  source: string,
  from: Syntax,
  to: Syntax,
  tokenizer: Tokenizer,
  flavour?: TokenizerFlavour,
  role: 'positive' | 'negative' = 'positive',
): Conversion {
  const { fragments, lost } = read(source, from, role, to);
  const text = printPrompt(piecesOf(fragments, from), to).trim();
  const units = unitsOf(fragments, tokenizer, flavour);
  const rows = align(units, unitsOf(read(text, to, role, from).fragments, tokenizer, flavour));
  return {
    text,
    isSame: rows.every(({ kind }) => kind === 'same'),
    rows,
    lost: [...lost, ...lossesOf(rows, fragments, to)].sort((a, b) => a.range.start - b.range.start),
  };
}

interface Reading {
  readonly fragments: readonly Fragment[];
  /** What `to` does not get. */
  readonly lost: readonly Loss[];
}

function read(source: string, syntax: Syntax, role: 'positive' | 'negative', to: Syntax): Reading {
  switch (syntax) {
    case 'a1111':
      return readA1111(source, role, programs[to]);
    case 'compel':
      return readCompel(source, programs[to]);
    case 'comfy': {
      const { fragments, nodes } = parseComfy(source);
      return { fragments, lost: embeddingsIn(nodes, programs[to]) };
    }
    default:
      return syntax satisfies never;
  }
}

function readA1111(source: string, role: 'positive' | 'negative', program: string): Reading {
  const { comments, networks, parts } = readA1111Prompt(source, { role });
  const loss = (message: string, { start, end }: Range): Loss => ({ message, range: { start, end } });
  const texts = parts.map(({ schedule }) => parseA1111(textAtStep(schedule, 1, { steps })).fragments);
  const lost = [
    ...comments.map((node) => loss(`${program} has no comments, so this one is left out.`, node)),
    ...networks.map((node) => loss(`${program} loads no networks from a prompt, so this one is left out.`, node)),
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
  return { fragments: inChunks(texts), lost };
}

function readCompel(source: string, program: string): Reading {
  const { parts, loras } = parseCompel(source);
  const lost = loras.map(({ start, end }): Loss => {
    return { message: `${program} loads no LoRA by withLora(), so this one is left out.`, range: { start, end } };
  });
  const swaps = (items: readonly CompelItem[]) => {
    for (const item of items)
      if (item.kind === 'swap') {
        const message = `${program} knows no .swap(), so only what is swapped away is converted.`;
        lost.push({ message, range: { start: item.start, end: item.end } });
      }
  };
  const chunks = parts.flatMap(({ content, weight }) => {
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
  return { fragments: inChunks(chunks), lost };
}

function embeddingsIn(nodes: readonly Node[], program: string): Loss[] {
  return nodes.flatMap((node): Loss[] => {
    if (node.type === 'weighted') return embeddingsIn(node.children, program);
    if (node.type !== 'network') return [];
    const message = `“embedding:” names a file in ComfyUI alone, so ${program} encodes it as text.`;
    return [{ message, range: { start: node.start, end: node.end } }];
  });
}

function between(a: number, b: number): Range {
  return { start: Math.min(a, b), end: Math.max(a, b) };
}

/** With a BREAK between them. */
function inChunks(texts: readonly (readonly Fragment[])[]): Fragment[] {
  return texts.flatMap((fragments, i) => {
    if (i === 0) return fragments;
    const range = between(texts[i - 1].at(-1)?.end ?? 0, fragments.at(0)?.start ?? 0);
    return [{ kind: 'break', text: 'BREAK', weight: -1, starts: [], ends: [], ...range }, ...fragments];
  });
}

/**
 * With spaces where Compel has them without holding them, and where the next program would join what was tokenised apart.
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

/** A token or a BREAK, the id of which is −1. */
interface Unit {
  readonly id: number;
  readonly text: string;
  readonly weight: number | null;
  readonly range: Range;
}

function unitsOf(fragments: readonly Fragment[], tokenizer: Tokenizer, flavour?: TokenizerFlavour): Unit[] {
  return fragments.flatMap((fragment): Unit[] =>
    fragment.kind === 'break'
      ? [{ id: -1, text: 'BREAK', weight: null, range: { start: fragment.start, end: fragment.end } }]
      : fragmentTokens([fragment], tokenizer, flavour).map(({ id, text, weight, range }) => ({
          id,
          text,
          weight,
          range: range!,
        })),
  );
}

/** Differences more than this many tokens apart are not looked into. */
const mostEdits = 1000;

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
  const both = (a: number, b: number) => rows.push(pairRow(source[a], converted[b]));
  for (let i = 0; i < first; i++) both(i, i);
  let [a, b] = [first, first];
  for (const [nextA, nextB] of commonUnits(source.slice(first, endA), converted.slice(first, endB))) {
    for (; a < first + nextA; a++) rows.push(missingRow(source[a]));
    for (; b < first + nextB; b++) rows.push(addedRow(converted[b]));
    both(a++, b++);
  }
  for (; a < endA; a++) rows.push(missingRow(source[a]));
  for (; b < endB; b++) rows.push(addedRow(converted[b]));
  for (; a < source.length; a++, b++) both(a, b);
  return rows;
}

/** Places of a longest common subsequence (E. Myers, An O(ND) difference algorithm, 1986). */
function commonUnits(source: readonly Unit[], converted: readonly Unit[]): [number, number][] {
  const [n, m] = [source.length, converted.length];
  if (n === 0 || m === 0) return [];
  const most = Math.min(n + m, mostEdits);
  /** [2·most + 2] How far in the source each diagonal a − b has come, by diagonal + most. */
  const reached = new Int32Array(2 * most + 3);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(reached.slice());
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = diagonal + most + 1;
      const isDown = diagonal === -edits || (diagonal !== edits && reached[at - 1] < reached[at + 1]);
      let a = isDown ? reached[at + 1] : reached[at - 1] + 1;
      while (a < n && a - diagonal < m && source[a].id === converted[a - diagonal].id) a++;
      reached[at] = a;
      if (a >= n && a - diagonal >= m) return backtrack(trace, n, m, most);
    }
  }
  return [];
}

function backtrack(trace: readonly Int32Array[], n: number, m: number, most: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [a, b] = [n, m];
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reached = trace[edits];
    const diagonal = a - b;
    const at = diagonal + most + 1;
    const isDown = diagonal === -edits || (diagonal !== edits && reached[at - 1] < reached[at + 1]);
    const fromA = edits === 0 ? 0 : isDown ? reached[at + 1] : reached[at - 1];
    const fromB = edits === 0 ? 0 : fromA - (isDown ? diagonal + 1 : diagonal - 1);
    while (a > fromA && b > fromB) pairs.push([--a, --b]);
    [a, b] = [fromA, fromB];
  }
  return pairs.reverse();
}

function pairRow(source: Unit, converted: Unit): ConversionRow {
  return {
    kind: isClose(source.weight, converted.weight) ? 'same' : 'weight',
    text: source.text,
    weight: source.weight,
    converted: converted.weight,
    range: source.range,
    convertedRange: converted.range,
  };
}

function missingRow({ text, weight, range }: Unit): ConversionRow {
  return { kind: 'missing', text, weight, converted: null, range, convertedRange: null };
}

function addedRow({ text, weight, range }: Unit): ConversionRow {
  return { kind: 'added', text, weight: null, converted: weight, range: null, convertedRange: range };
}

function isClose(a: number | null, b: number | null): boolean {
  if (a === null || b === null || Object.is(a, b)) return a === b || Object.is(a, b);
  return Number.isFinite(a) && Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a));
}

/** Why rows differ; one for neighbours with the same reason. */
function lossesOf(rows: readonly ConversionRow[], fragments: readonly Fragment[], to: Syntax): Loss[] {
  const losses: { message: string; range: Range }[] = [];
  const hasHash = fragments.some(({ text }) => text.includes('#'));
  let place: Range = { start: 0, end: 0 };
  let differed = false;
  for (const row of rows) {
    const follows = differed;
    place = row.range ?? { start: place.end, end: place.end };
    differed = row.kind !== 'same';
    if (!differed) continue;
    const message = reason(row, to, hasHash);
    const last = losses.at(-1);
    if (follows && last?.message === message)
      last.range = { start: Math.min(last.range.start, place.start), end: Math.max(last.range.end, place.end) };
    else losses.push({ message, range: place });
  }
  return losses;
}

function reason({ kind, text, weight }: ConversionRow, to: Syntax, hasHash: boolean): string {
  const program = programs[to];
  if (text === 'BREAK' && kind === 'missing' && to === 'comfy')
    return 'ComfyUI has no BREAK, so the chunks follow one another: encode each by itself and join them with ConditioningConcat.';
  if (kind === 'weight' && weight !== null) {
    if (!Number.isFinite(weight)) return `${program} takes no weight that is not a finite number, so this weighs 1.`;
    if (to === 'compel' && weight < 0) return 'Compel takes no negative weight, so this weighs 0.';
    if (to === 'compel')
      return 'Compel cannot weigh “=”, nor signs, commas and full stops that touch one another, so this weighs 1.';
  }
  if (to === 'a1111' && hasHash)
    return 'A1111 takes “#” and the rest of its line for a comment, and nothing escapes it.';
  if (to === 'a1111' && (weight === -1 || text === 'BREAK'))
    return 'A1111 takes the word BREAK at a weight of −1 for the end of a chunk, and cannot encode it.';
  if (to === 'compel')
    return 'Compel reads signs, commas and backslashes that touch one another otherwise, and cannot encode this as it is.';
  return `${program} cannot say this as it is.`;
}
