import type { Diagnostic, Edit, Fragment, Node, ParsedPrompt, Range, SourceText } from '../ast.ts';
import { deepest, emptyFragment, fragmentNodes } from '../fragments.ts';
import { asciiDigits, pythonSpace as space } from '../pythonText.ts';
import { joinSources, replacement, sliceSource, sourceText, typedRange } from '../sourceText.ts';

const isSpace = new RegExp(`[${space}]`);
const token = /\\[()[\]\\]?|[()[\]:]|[^\\()[\]:]+/g;
const closingNumber = new RegExp(String.raw`:[${space}]*([+-]?[.\p{Nd}]+)[${space}]*\)`, 'uy');
/** Python's `\b` looks at letters and digits of every script. */
const breakWord = /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/gu;
/** Matches an attempt at a number: `1,5`, `-`, `20%`, `1e3`, nothing. */
const isNumberLike = new RegExp(
  String.raw`^(?:[${space}.,%+\-\p{Nd}]*|[${space}]*[+-]?[.\p{Nd}]+e[+-]?\p{Nd}+[${space}]*)$`,
  'iu',
);
const isPlainNumber = new RegExp(String.raw`^[${space}]*[+-]?[.\p{Nd}]+[${space}]*$`, 'u');

/** One bracket pair, or an opening bracket that reaches to the end. */
interface Group {
  readonly form: 'round' | 'square';
  readonly open: Range;
  /** Index of the first run of weights inside. */
  readonly firstRun: number;
  value: number;
  /** The whole closing mark: `)`, `]` or `:1.5)`. */
  close: Range | null;
  number: Range | null;
  /** When the original multiplies by this group: by closing bracket, then unclosed round, then unclosed square ones. */
  order: number;
  /** Colons that are text, not counting those in square brackets further in. */
  colons: number;
}

/** Literal text as typed, or what is left of an escape. */
interface TextPiece {
  readonly type: 'text';
  readonly start: number;
  end: number;
  readonly escaped: boolean;
  readonly run: number;
}

interface BreakPiece extends Range {
  readonly type: 'break';
  readonly run: number;
  /** The word with the whitespace that goes with it. */
  readonly around: Range;
  /** The groups open here, outermost first; null where there are more than `deepest`. */
  readonly inside: readonly Group[] | null;
}

type Piece = TextPiece | BreakPiece;
type Item =
  | Piece
  | { readonly type: 'open'; readonly group: Group }
  | { readonly type: 'close'; readonly group: Group };

interface Reading {
  readonly source: string;
  readonly items: readonly Item[];
  /** Weight of each run of text without a bracket in it; its BREAKs weigh minus that. */
  readonly runs: readonly number[];
  readonly depth: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Weight of `[x]` in the lecture. */
export const lectureSquareFactor = 0.9;

export interface A1111Options {
  /** Place in the prompt at which a bracket can be added, to close one that a text derived from it leaves open. */
  readonly end?: number;
  /** Weight of `[x]`: 1/1.1 in all of A1111's versions, `lectureSquareFactor` in the lecture. */
  readonly squareFactor?: number;
}

/**
 * AUTOMATIC1111's attention syntax, as `parse_prompt_attention` of stable-diffusion-webui 1.6 to 1.10 reads it: `(x)` × 1.1,
 * `[x]` × 1/1.1, `(x:1.5)` × 1.5, `\(` the character, BREAK a new chunk.
 *
 * Where the original raises, on `(x:1.1.1)`, the would-be number is text and the brackets weigh 1.1, as with any other
 * non-number. Brackets of the two kinds may cross; their nodes then come in pieces, with `open` or `close` null. In
 * prompts nested more than 100 deep each fragment is a node of its own.
 *
 * A text derived from a prompt is read with all ranges in that prompt.
 */
export function parseA1111(
  prompt: string | SourceText,
  { end, squareFactor = 1 / 1.1 }: A1111Options = {},
): ParsedPrompt {
  const source = typeof prompt === 'string' ? sourceText(prompt) : prompt;
  const reading = new EmphasisReader(source.text, squareFactor).read();
  const fragments = mergeFragments(reading, source);
  return {
    source: source.text,
    nodes: reading.depth > deepest ? fragmentNodes(fragments) : tree(reading, source),
    fragments,
    diagnostics: [...reading.diagnostics, ...breakDiagnostics(reading)]
      .map((diagnostic) => typedDiagnostic(diagnostic, source, end))
      .sort((a, b) => a.start - b.start),
  };
}

/** The range of the prompt in which a place or range of a derived text was typed. */
function typedAt(source: SourceText, { start, end }: Range): Range {
  const point = source.starts.at(start) ?? source.ends.at(-1) ?? 0;
  return typedRange(source, start, end) ?? { start: point, end: point };
}

/**
 * Places a diagnostic of a derived text in the prompt. The fix is left out where it would rewrite what stands between two
 * characters and is no part of this text. `promptEnd` is the place of what is added at the end.
 */
function typedDiagnostic(diagnostic: Diagnostic, source: SourceText, promptEnd: number | undefined): Diagnostic {
  const { code, severity, message, fix } = diagnostic;
  const { start, end } = typedAt(source, diagnostic);
  if (!fix?.edits.every((edit) => isWhole(source, edit))) return { code, severity, start, end, message };
  const edits = fix.edits.map((edit): Edit => {
    const isAtEnd = promptEnd !== undefined && edit.start === source.text.length;
    const place = isAtEnd ? { start: promptEnd, end: promptEnd } : typedAt(source, edit);
    return { start: place.start, end: place.end, insert: edit.insert };
  });
  return { code, severity, start, end, message, fix: { label: fix.label, edits } };
}

/** Whether nothing was typed between the units of a range that is no part of the text. */
function isWhole({ starts, ends }: SourceText, { start, end }: Range): boolean {
  for (let i = start + 1; i < end; i++) if (starts[i] !== ends[i - 1]) return false;
  return true;
}

/** Reads a prompt's brackets from left to right, as the regular expression of A1111's parser cuts it into tokens. */
class EmphasisReader {
  private readonly items: Item[] = [];
  private readonly runs: number[] = [];
  private readonly closed: ClosedRuns[] = [];
  private readonly diagnostics: Diagnostic[] = [];
  private readonly round: Group[] = [];
  private readonly square: Group[] = [];
  private depth = 0;
  private newRun = true;
  /** End of the last colon, while no more than one stretch of plain text has followed it. */
  private colon: number | null = null;
  private readonly source: string;
  private readonly squareFactor: number;

  constructor(source: string, squareFactor: number) {
    this.source = source;
    this.squareFactor = squareFactor;
  }

  read(): Reading {
    token.lastIndex = 0;
    for (let match = token.exec(this.source); match; match = token.exec(this.source)) {
      const [text] = match;
      const range = { start: match.index, end: token.lastIndex };
      if (text === ':') {
        token.lastIndex = this.readColon(range.start);
        continue;
      }
      if (text === '(' || text === '[') this.open(text === '(' ? 'round' : 'square', range);
      else if (text === ')' || text === ']') this.readClosing(text, range.start);
      else if (text[0] === '\\') {
        this.items.push({ type: 'text', ...range, escaped: true, run: this.run() });
        if (text.length === 1) this.diagnostics.push(loneBackslash(range));
      } else {
        this.readPlain(range.start, range.end);
        if (this.colon === range.start) continue;
      }
      this.colon = null;
    }
    multiplyClosed(this.runs, this.closed);
    this.leaveOpen();
    const { source, items, runs, depth, diagnostics } = this;
    return { source, items, runs, depth, diagnostics };
  }

  /** Ends the brackets that nothing closes: they weigh to the end of the prompt. */
  private leaveOpen(): void {
    const last = lastRange(this.source);
    for (const groups of [this.round, this.square]) {
      multiplyUnclosed(this.runs, groups);
      for (const group of groups) {
        group.order = groups === this.round ? this.items.length : this.items.length + 1;
        this.diagnostics.push(unclosedBracket(group, last));
      }
    }
  }

  private run(): number {
    if (this.newRun) this.runs.push(1);
    this.newRun = false;
    return this.runs.length - 1;
  }

  private pushText(start: number, end: number): void {
    const last = this.items.at(-1);
    if (last?.type === 'text' && !last.escaped && last.end === start) last.end = end;
    else this.items.push({ type: 'text', start, end, escaped: false, run: this.run() });
  }

  private readPlain(start: number, end: number): void {
    let from = start;
    for (const { index } of this.source.slice(start, end).matchAll(breakWord)) {
      const word = { start: start + index, end: start + index + 'BREAK'.length };
      const around = { ...word };
      while (around.start > from && isSpace.test(this.source[around.start - 1])) around.start--;
      while (around.end < end && isSpace.test(this.source[around.end])) around.end++;
      this.pushText(from, around.start);
      const inside =
        this.round.length + this.square.length > deepest ? null : [...this.round, ...this.square].sort(byOpening);
      this.items.push({ type: 'break', ...word, run: this.run(), around, inside });
      from = around.end;
    }
    this.pushText(from, end);
  }

  private open(form: Group['form'], range: Range): void {
    const group: Group = {
      form,
      open: range,
      firstRun: this.runs.length,
      value: form === 'round' ? 1.1 : this.squareFactor,
      close: null,
      number: null,
      order: Number.NaN,
      colons: 0,
    };
    (form === 'round' ? this.round : this.square).push(group);
    this.depth = Math.max(this.depth, this.round.length + this.square.length);
    this.items.push({ type: 'open', group });
    this.newRun = true;
  }

  private close(group: Group, range: Range): void {
    group.close = range;
    group.order = this.items.length;
    const { firstRun, value } = group;
    this.closed.push({ firstRun, endRun: this.runs.length, value });
    this.items.push({ type: 'close', group });
    this.newRun = true;
  }

  private readClosing(bracket: ')' | ']', start: number): void {
    const range = { start, end: start + 1 };
    const group = (bracket === ')' ? this.round : this.square).pop();
    if (!group) {
      this.pushText(start, range.end);
      this.diagnostics.push(unmatchedBracket(bracket, range));
      return;
    }
    const tail = this.colon === null ? null : { start: this.colon, end: start };
    if (tail && bracket === ')' && isNumberLike.test(this.source.slice(tail.start, tail.end))) {
      this.diagnostics.push(notANumber(this.source, tail, 'warning'));
    }
    if (tail && bracket === ']' && group.colons === 1 && isPlainNumber.test(this.source.slice(tail.start, tail.end))) {
      this.diagnostics.push(squareNumber(this.source, tail, group, range));
    }
    this.close(group, range);
  }

  /** From a colon: `:1.5)` or just the colon. Returns where it ends. */
  private readColon(start: number): number {
    closingNumber.lastIndex = start;
    const match = closingNumber.exec(this.source);
    const end = match ? closingNumber.lastIndex : start + 1;
    const group = match ? this.round.at(-1) : undefined;
    if (!match || !group) {
      const within = this.square.at(-1);
      if (within) within.colons++;
      this.pushText(start, end);
      if (match) this.diagnostics.push(unmatchedBracket(')', { start: end - 1, end }));
      this.colon = match ? null : end;
      return end;
    }
    this.round.pop();
    this.colon = null;
    const value = toNumber(match[1]);
    if (Number.isNaN(value)) {
      this.pushText(start, end - 1);
      this.diagnostics.push(notANumber(this.source, { start: start + 1, end: end - 1 }, 'error'));
      this.close(group, { start: end - 1, end });
      return end;
    }
    const numberStart = start + match[0].indexOf(match[1]);
    group.value = value;
    group.number = { start: numberStart, end: numberStart + match[1].length };
    this.close(group, { start, end });
    return end;
  }
}

/** Runs of weights [firstRun, endRun) that a closing bracket multiplies. */
interface ClosedRuns {
  readonly firstRun: number;
  readonly endRun: number;
  readonly value: number;
}

/**
 * Multiplies runs by the brackets around them, in the order in which those close, one after the other, as the original
 * does. Brackets of one value that close in a row are counted first, and the products of a number by them are kept: a
 * thousand brackets around a thousand words would take a million products else.
 */
function multiplyClosed(runs: number[], closed: readonly ClosedRuns[]): void {
  const counts = new Int32Array(runs.length + 1);
  for (let from = 0; from < closed.length; ) {
    const { value } = closed[from];
    let [first, end] = [runs.length, 0];
    for (; from < closed.length && Object.is(closed[from].value, value); from++) {
      const { firstRun, endRun } = closed[from];
      counts[firstRun]++;
      counts[endRun]--;
      first = Math.min(first, firstRun);
      end = Math.max(end, endRun);
    }
    const products = new Map<number, number[]>();
    let count = 0;
    for (let run = first; run < end; run++) {
      count += counts[run];
      counts[run] = 0;
      if (count > 0) runs[run] = multiplied(runs[run], value, count, products);
    }
    counts[end] = 0;
  }
}

/** Multiplies by a factor `count` times. `products` keeps what each number comes to after one, two, three times. */
function multiplied(weight: number, factor: number, count: number, products: Map<number, number[]>): number {
  if (count === 1) return weight * factor;
  let known = products.get(weight);
  if (!known || !Object.is(known[0], weight)) {
    known = [weight];
    products.set(weight, known);
  }
  while (known.length <= count) known.push(known[known.length - 1] * factor);
  return known[count];
}

/**
 * Multiplies each run by the unclosed brackets of one kind before it, one after the other, as the original does: the
 * rounding counts. What a weight has come to is kept for the next run that starts from it.
 */
function multiplyUnclosed(runs: number[], groups: readonly Group[]): void {
  const reached = new Map<number, { readonly value: number; readonly factors: number }>();
  let factors = 0;
  for (let run = groups.at(0)?.firstRun ?? runs.length; run < runs.length; run++) {
    while (factors < groups.length && groups[factors].firstRun <= run) factors++;
    const { value: factor } = groups[0];
    const weight = runs[run];
    // Zeros of both signs, infinities and what rounds to itself.
    if (weight * factor === weight) continue;
    const from = reached.get(weight);
    let value = from?.value ?? weight;
    for (let i = from?.factors ?? 0; i < factors && value * factor !== value; i++) value *= factor;
    reached.set(weight, { value, factors });
    runs[run] = value;
  }
}

function byOpening(a: Group, b: Group): number {
  return a.open.start - b.open.start;
}

/** Python's `float()` of digits of any script with at most one sign; NaN where it raises. */
function toNumber(text: string): number {
  return Number(asciiDigits(text));
}

function pieceWeight(piece: Piece, { runs }: Reading): number {
  return piece.type === 'break' ? -runs[piece.run] : runs[piece.run];
}

function typed(piece: Piece, source: SourceText): SourceText {
  const { start, end } = piece;
  const escaped = piece.type === 'text' && piece.escaped;
  if (!escaped) return sliceSource(source, start, end);
  return replacement(source.text.slice(start + 1, end), typedAt(source, piece));
}

/** Neighbours of exactly the same weight are one fragment. */
function mergeFragments(reading: Reading, source: SourceText): Fragment[] {
  const groups: { weight: number; pieces: Piece[] }[] = [];
  for (const item of reading.items) {
    if (item.type === 'open' || item.type === 'close') continue;
    const weight = pieceWeight(item, reading);
    const last = groups.at(-1);
    if (last?.weight === weight) last.pieces.push(item);
    else groups.push({ weight, pieces: [item] });
  }
  if (groups.length === 0) return [emptyFragment(typedAt(source, { start: 0, end: 0 }).start)];
  return groups.map(({ weight, pieces }) => {
    const joined = joinSources(pieces.map((piece) => typed(piece, source)));
    const [{ start }] = pieces;
    const range = typedRange(joined, 0, joined.text.length) ?? typedAt(source, { start, end: start });
    // The original looks at no more than this, so `(B\REAK:-1)` is a BREAK too and `(BREAK:-1)` a word.
    const kind = joined.text === 'BREAK' && weight === -1 ? 'break' : 'text';
    return { kind, weight, ...joined, ...range };
  });
}

/** Brackets as nested nodes, the sooner multiplied the further in, so that a walk multiplies in the original's order. */
function tree({ items }: Reading, source: SourceText): Node[] {
  const nodes: Node[] = [];
  const stack: { group: Group; start: number; open: Range | null; children: Node[] }[] = [];
  let texts: TextPiece[] = [];

  function siblings(): Node[] {
    return stack.at(-1)?.children ?? nodes;
  }
  function flushTexts(): void {
    const joined = joinSources(texts.map((piece) => typed(piece, source)));
    const range = typedRange(joined, 0, joined.text.length);
    if (range) siblings().push({ type: 'text', ...joined, ...range });
    texts = [];
  }
  function enter(group: Group, start: number, open: Range | null): void {
    stack.push({ group, start, open, children: [] });
  }
  function leave(end: number, close: Range | null): Group {
    const { group, start, open, children } = stack.pop()!;
    const { form, number, value } = group;
    if (open || close || children.length > 0) {
      siblings().push({
        type: 'weighted',
        ...typedAt(source, { start, end }),
        children,
        value,
        effect: 'multiply',
        form: number ? 'round-number' : form,
        open: open && typedAt(source, open),
        close: close && typedAt(source, close),
        number: number && typedAt(source, number),
      });
    }
    return group;
  }

  for (const item of items) {
    if (item.type === 'text') {
      texts.push(item);
      continue;
    }
    flushTexts();
    if (item.type === 'break') {
      siblings().push({ type: 'break', ...typedAt(source, item) });
    } else if (item.type === 'close') {
      leave(item.group.close!.end, item.group.close);
    } else {
      const { open, order } = item.group;
      const crossed: Group[] = [];
      while (stack.length > 0 && stack.at(-1)!.group.order < order) crossed.push(leave(open.start, null));
      enter(item.group, open.start, open);
      for (const group of crossed.reverse()) enter(group, open.end, null);
    }
  }
  flushTexts();
  while (stack.length > 0) leave(source.text.length, null);
  return nodes;
}

/** The weight of brackets without a typed number, as a message says it. */
function factor({ value }: Pick<Group, 'value'>): string {
  return String(Number(value.toPrecision(3)));
}

/** Range at the end to replace by a closing bracket: a lone backslash there, which A1111 deletes, would escape it. */
function lastRange(source: string): Range {
  let backslashes = 0;
  while (source[source.length - 1 - backslashes] === '\\') backslashes++;
  return { start: source.length - (backslashes % 2), end: source.length };
}

function unclosedBracket(group: Group, last: Range): Diagnostic {
  const { form, open } = group;
  const opening = form === 'round' ? '(' : '[';
  const closing = form === 'round' ? ')' : ']';
  return {
    code: 'unclosed-bracket',
    severity: 'warning',
    start: open.start,
    end: open.end,
    message: `This “${opening}” is never closed and applies to the end, at ${factor(group)}: add a “${closing}”, or type “\\${opening}” for the character.`,
    fix: { label: 'Close it at the end', edits: [{ start: last.start, end: last.end, insert: closing }] },
  };
}

function unmatchedBracket(bracket: ')' | ']', range: Range): Diagnostic {
  const opening = bracket === ')' ? '(' : '[';
  return {
    code: 'unmatched-bracket',
    severity: 'warning',
    ...range,
    message: `No “${opening}” is open for this “${bracket}” to close, so it is encoded as a character: remove it, or type “\\${bracket}” to keep it.`,
    fix: { label: `Type “\\${bracket}”`, edits: [{ start: range.start, end: range.start, insert: '\\' }] },
  };
}

function loneBackslash(range: Range): Diagnostic {
  return {
    code: 'lone-backslash',
    severity: 'info',
    ...range,
    message: 'A backslash that escapes nothing is removed: type “\\\\” for the character.',
    fix: { label: 'Type “\\\\”', edits: [{ start: range.start, end: range.start, insert: '\\' }] },
  };
}

/** `tail` is what stands between the colon and the closing bracket. */
function squareNumber(source: string, tail: Range, group: Group, close: Range): Diagnostic {
  const typed = source.slice(tail.start - 1, tail.end);
  return {
    code: 'square-bracket-number',
    severity: 'warning',
    start: tail.start - 1,
    end: tail.end,
    message: `Square brackets take no weight (A1111 schedules by their numbers), so “${typed}” is encoded as text and all of it weighs ${factor(group)}: write (…${typed}) for a weight.`,
    fix: {
      label: `Write (…${typed})`,
      edits: [
        { ...group.open, insert: '(' },
        { ...close, insert: ')' },
      ],
    },
  };
}

/** An error where the original raises, a warning where it goes on. */
function notANumber(source: string, tail: Range, severity: 'error' | 'warning'): Diagnostic {
  const typed = source.slice(tail.start, tail.end);
  const consequence = `it is encoded as text and the brackets weigh 1.1`;
  const digits = asciiDigits(typed).trim();
  const value = String(severity === 'error' ? Number.parseFloat(digits) : Number(digits.replace(',', '.')));
  const range = { start: tail.start - 1, end: tail.end };
  const diagnostic = { code: 'not-a-number-weight', severity, ...range };
  if (digits === '') {
    const message = `No number follows this colon, so ${consequence}: write one, or remove the colon.`;
    return { ...diagnostic, message, fix: { label: 'Remove the colon', edits: [{ ...range, insert: '' }] } };
  }
  const message =
    severity === 'error'
      ? `“${digits}” is not a number and stops A1111 with an error; here ${consequence}: write one such as 1.2.`
      : `“${digits}” is not a number, so ${consequence}: write one such as 1.2.`;
  if (!/^-?[\d.]+$/.test(value)) return { ...diagnostic, message };
  return { ...diagnostic, message, fix: { label: `Write ${value}`, edits: [{ ...tail, insert: value }] } };
}

function breakDiagnostics(reading: Reading): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  for (const item of reading.items) {
    if (item.type !== 'break') continue;
    const weight = pieceWeight(item, reading);
    if (weight === -1) continue;
    const { start, end, around, inside } = item;
    const diagnostic: Diagnostic = {
      code: 'break-in-brackets',
      severity: 'warning',
      start,
      end,
      message: `BREAK inside brackets is encoded as the word, at ${Number(weight.toPrecision(4))}, and starts no new chunk: close the brackets before it.`,
    };
    // After a backslash the bracket would be escaped.
    if (!inside || reading.source[around.start - 1] === '\\') {
      diagnostics.push(diagnostic);
      continue;
    }
    const openings = inside.map(({ form }) => (form === 'round' ? '(' : '['));
    const closings = inside.map(({ form, close }) =>
      close ? reading.source.slice(close.start, close.end) : form === 'round' ? ')' : ']',
    );
    const insert = `${closings.reverse().join('')} BREAK ${openings.join('')}`;
    diagnostics.push({
      ...diagnostic,
      fix: { label: 'Close the brackets before it and open them after', edits: [{ ...around, insert }] },
    });
  }
  return diagnostics;
}
