import type { Range, SourceText } from '../ast.ts';
import { pythonFloat, pythonSpace } from '../pythonText.ts';
import { joinSources, noText, replacement, sliceSource, spacesBefore } from '../sourceText.ts';

/** A run of characters with nothing to weigh inside; `free` where it was taken as it stands because nothing else fits. */
export interface Word extends Range {
  readonly type: 'word';
  readonly text: SourceText;
  readonly free: boolean;
}

/** `(x)` or `"x"`. */
export interface Group extends Range {
  readonly type: 'group';
  readonly children: readonly Item[];
  readonly open: Range;
  readonly close: Range;
  /** Holds nothing but such groups: `(())`, but not `""`. */
  readonly empty: boolean;
  readonly depth: number;
}

/** `x++`, `(x)1.2`, `"x".attend(0.5)`. */
export interface Weighted extends Range {
  readonly type: 'weighted';
  readonly target: Word | Group;
  readonly form: 'suffix-signs' | 'suffix-number' | 'attend';
  readonly value: number;
  /** The typed number or signs. */
  readonly number: Range;
  readonly depth: number;
}

/** `x.swap(y, s_end=0.5)`. */
export interface Swap extends Range {
  readonly type: 'swap';
  readonly target: Word | Group;
  readonly edited: readonly Item[];
  readonly editedRange: Range;
  /** `.swap`. */
  readonly operator: Range;
  readonly options: readonly Option[];
  readonly depth: number;
}

/** `withLora(name, 0.8)`, `useLora(name)`. */
export interface Lora extends Range {
  readonly type: 'lora';
  readonly trigger: string;
  readonly name: string;
  readonly weight: number;
  /** The typed number; null where the weight is the default 1. */
  readonly number: Range | null;
}

export type Item = Word | Group | Weighted | Swap | Lora;

/** `key=value`, `key` or a number. */
export interface Option extends Range {
  /** The keyword, or the number as Python prints it. */
  readonly key: string;
  readonly value: number | string | null;
}

/** `("a", b, (c d)).blend(1, 0.5)`; the parts are prompts. */
export interface Composite extends Range {
  readonly operator: 'blend' | 'and';
  readonly parts: readonly (Range & { readonly items: readonly Item[] })[];
  readonly options: readonly Option[];
  /** Operator and options. */
  readonly call: Range;
}

export interface CompelTree {
  /** LoRAs before and after a blend. */
  readonly loras: readonly Lora[];
  /** `.and()`, `.blend()`, or else the items of one prompt. */
  readonly content: Composite | readonly Item[];
  /** End of what the grammar could read, in units of the text. */
  readonly end: number;
}

/** [128] The kinds of each character, as bits: most characters are looked at several times, for which a set of them is slow. */
const kinds = new Uint8Array(128);
const syntactic = kindOf(1, '()",.+-=');
/** Python's string.whitespace. */
const asciiSpace = kindOf(2, ' \t\n\r\v\f');
/** Characters that the grammar skips between its elements. */
const skipped = kindOf(4, ' \t\n\r');
const beginsNumber = kindOf(8, '+-.0123456789');
/** Matches the whitespace of pyparsing's White(), and the characters that it skips in front of that. */
const white = /[\f\xa0\u1680\u180e\u2000-\u200b\u202f\u205f\u3000]*[ \t\r\n]+/y;
const real = /[+-]?(?:\p{Nd}+\.\p{Nd}*|\.\p{Nd}+)/uy;
const integer = /-?[0-9]+/y;
const keyword = /[A-Za-z0-9_-]+/y;
const loraTriggers = ['useLora', 'withLora'];
const onlySpace = new RegExp(`^[${pythonSpace}]*$`);

/** The part of a swap that follows its target. */
type SwapArguments = Pick<Swap, 'edited' | 'editedRange' | 'operator' | 'options' | 'depth'>;

/** The value that an element reads at a place in the text, and the end of it. */
interface Match<T> {
  readonly value: T;
  readonly end: number;
}

/** `,x` becomes `, x` before anything else is read. */
export function spaceAfterCommas(source: SourceText): SourceText {
  const { text } = source;
  /** Units that a space comes before. */
  const units: number[] = [];
  for (let comma = text.indexOf(','); comma >= 0 && comma + 1 < text.length; ) {
    const isApart = isBlank(text[comma + 1]);
    if (!isApart) units.push(comma + 1);
    // A comma right after another is what a space comes before, and none comes after it.
    comma = text.indexOf(',', comma + (isApart ? 1 : 2));
  }
  return spacesBefore(source, units);
}

export function isBlank(text: string): boolean {
  return onlySpace.test(text);
}

/**
 * Reads the text by Compel's grammar: of the alternatives of each element the first that fits is taken, and never taken back.
 * With `literal` all of the text is one prompt.
 */
export function readCompel(source: SourceText, literal = false): CompelTree {
  if (isBlank(source.text)) return { loras: [], content: [emptyWord(0)], end: source.text.length };
  const reader = new Reader(source);
  const and = literal ? null : reader.composite(0, 'and');
  if (and) return { loras: [], content: and.value, end: and.end };
  const before = reader.loras(0);
  const blend = literal ? null : reader.composite(before.end, 'blend');
  const content = blend ?? reader.prompt(before.end);
  const after = reader.loras(content.end);
  return { loras: [...before.value, ...after.value], content: content.value, end: skip(source.text, after.end) };
}

function kindOf(bit: number, characters: string): number {
  for (const character of characters) kinds[character.charCodeAt(0)] |= bit;
  return bit;
}

/** Whether the character at a place is of a kind, or of one of several together; there is none past the end. */
function isKind(text: string, at: number, kind: number): boolean {
  const code = text.charCodeAt(at);
  return code < kinds.length && (kinds[code] & kind) !== 0;
}

/** Start of the grammar's next element at or after `at`. */
function skip(text: string, at: number): number {
  let end = at;
  while (isKind(text, end, skipped)) end++;
  return end;
}

/** End of `mark`, if that comes next; −1 if not. */
function literal(text: string, at: number, mark: string): number {
  const start = skip(text, at);
  return text.startsWith(mark, start) ? start + mark.length : -1;
}

/** Matches a sticky pattern at a place. */
function regex(text: string, pattern: RegExp, at: number): Match<string> | null {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match && { value: match[0], end: pattern.lastIndex };
}

/** Every match that `next` finds, one after the other. */
function many<T>(at: number, next: (at: number) => Match<T> | null): Match<T[]> {
  const value: T[] = [];
  let end = at;
  for (let match = next(end); match; match = next(end)) {
    value.push(match.value);
    end = match.end;
  }
  return { value, end };
}

/**
 * Reads elements of the grammar at places of a text. What several elements may try is read once and remembered by its place.
 * Each quote has a reader of its own, so that room is taken only where there is something to remember.
 */
class Reader {
  private readonly source: SourceText;
  private readonly text: string;
  /** [text.length] Brackets and quotes; null where there are none, undefined where nobody looked yet. */
  private enclosed: (Match<Group> | null | undefined)[] | undefined;
  private swaps: Map<number, Match<SwapArguments> | null> | undefined;
  private readAhead = false;

  constructor(source: SourceText) {
    this.source = source;
    this.text = source.text;
  }

  private range(from: number, to: number): Range {
    return { start: this.source.starts[from], end: this.source.ends[to - 1] };
  }

  private textMatch(from: number, to: number, isFree: boolean): Match<Word> {
    const { starts, ends } = this.source;
    const text = sliceSource(this.source, from, to);
    return { value: { type: 'word', start: starts[from], end: ends[to - 1], text, free: isFree }, end: to };
  }

  private word(start: number): Match<Word> | null {
    const { text } = this;
    let end = start;
    while (end < text.length) {
      if (text[end] === '\\' && isKind(text, end + 1, syntactic)) end += 2;
      else if (!isKind(text, end, syntactic | asciiSpace)) end++;
      else if (!this.isSign(end) || end + 1 >= text.length || isKind(text, end + 1, syntactic | skipped)) break;
      else end++;
    }
    return end === start ? null : this.textMatch(start, end, false);
  }

  private isSign(at: number): boolean {
    return this.text[at] === '+' || this.text[at] === '-';
  }

  private number(at: number): Match<number> | null {
    const start = skip(this.text, at);
    // Hardly a place has a number, and patterns take long to say so.
    if (!isKind(this.text, start, beginsNumber) && !(this.text.charCodeAt(start) >= kinds.length)) return null;
    const match = regex(this.text, real, start) ?? regex(this.text, integer, start);
    return match && { value: pythonFloat(match.value)!, end: match.end };
  }

  private signs(at: number): Match<number> | null {
    const start = skip(this.text, at);
    if (!this.isSign(start)) return null;
    const sign = this.text[start];
    let end = start;
    while (this.text[end] === sign) end++;
    return { value: power(sign === '+' ? 1.1 : 0.9, end - start), end };
  }

  /** `(x)` with anything but a free word inside, or `"x"`. */
  private group(open: number): Match<Group> | null {
    const mark = this.text[open];
    if (mark !== '(' && mark !== '"') return null;
    if (mark === '(') this.readBracketsFrom(open);
    this.enclosed ??= Array(this.text.length);
    let match = this.enclosed[open];
    if (match === undefined) {
      match = mark === '(' ? this.brackets(open) : this.quote(open, false);
      this.enclosed[open] = match;
    }
    return match;
  }

  private brackets(open: number): Match<Group> | null {
    const inside = this.body(open + 1, true);
    const close = literal(this.text, inside.end, ')');
    return close < 0 ? null : this.groupMatch(inside.value, open, close);
  }

  /** Reads all brackets once, the last first, so that none needs those further in to be read from within itself. */
  private readBracketsFrom(first: number): void {
    if (this.readAhead) return;
    this.readAhead = true;
    for (let open = this.text.lastIndexOf('('); open > first; open = this.text.lastIndexOf('(', open - 1)) {
      if (this.text[open - 1] === '\\') continue;
      this.group(open);
      let operator = open;
      while (isKind(this.text, operator - 1, skipped)) operator--;
      operator -= '.swap'.length;
      if (this.text.startsWith('.swap', operator)) this.swapArguments(operator);
    }
  }

  private groupMatch(children: readonly Item[], from: number, to: number): Match<Group> {
    const open = this.range(from, from + 1);
    const close = this.range(to - 1, to);
    const depth = 1 + deepestOf(children);
    const empty = isNothing(children);
    return {
      value: { type: 'group', start: open.start, end: close.end, children, open, close, empty, depth },
      end: to,
    };
  }

  /** `"x"` in one line, `\"` inside it standing for a quote. */
  private quote(open: number, isPrompt: boolean): Match<Group> | null {
    const close = this.text[open] === '"' ? this.closingQuote(open) : -1;
    if (close < 0) return null;
    const content = unquote(sliceSource(this.source, open + 1, close));
    if (isBlank(content.text)) return this.groupMatch([emptyWord(this.source.ends[open])], open, close + 1);
    const inside = new Reader(content);
    const items = isPrompt ? inside.prompt(0) : inside.body(0, true);
    const isRead = skip(content.text, items.end) === content.text.length;
    return isRead ? this.groupMatch(items.value, open, close + 1) : null;
  }

  /** Place of the first quote in the line that no backslash precedes, else of the last; −1 if there is none. */
  private closingQuote(open: number): number {
    const { text } = this;
    let last = -1;
    for (let at = open + 1; at < text.length && text[at] !== '\n' && text[at] !== '\r'; at++) {
      if (text[at] !== '"') continue;
      last = at;
      if (text[at - 1] !== '\\') break;
    }
    return last;
  }

  private target(start: number): Match<Word | Group> | null {
    return this.group(start) ?? this.word(start);
  }

  /** A weight after `content`. */
  private attention(content: Match<Word | Group>): Match<Weighted> | null {
    const operator = literal(this.text, content.end, '.attend');
    const inside = operator < 0 ? -1 : literal(this.text, operator, '(');
    if (inside >= 0) {
      const weight = this.signs(inside) ?? this.number(inside);
      const close = weight ? literal(this.text, weight.end, ')') : -1;
      if (weight && close >= 0)
        return this.weighted(content.value, 'attend', weight, this.range(skip(this.text, inside), weight.end), close);
    }
    if (isKind(this.text, content.end, skipped)) return null;
    const sign = this.signs(content.end);
    if (sign) return this.weighted(content.value, 'suffix-signs', sign, this.range(content.end, sign.end), sign.end);
    const weight = content.value.type === 'group' ? this.number(content.end) : null;
    return (
      weight && this.weighted(content.value, 'suffix-number', weight, this.range(content.end, weight.end), weight.end)
    );
  }

  private weighted(
    of: Word | Group,
    form: Weighted['form'],
    { value }: Match<number>,
    typed: Range,
    end: number,
  ): Match<Weighted> {
    const [typedEnd, depth] = [this.source.ends[end - 1], 1 + depthOf(of)];
    return {
      value: { type: 'weighted', start: of.start, end: typedEnd, target: of, form, value, number: typed, depth },
      end,
    };
  }

  private swap(of: Match<Word | Group>): Match<Swap> | null {
    const operator = skip(this.text, of.end);
    const rest = this.text.startsWith('.swap', operator) ? this.swapArguments(operator) : null;
    if (!rest) return null;
    const typed = { start: of.value.start, end: this.source.ends[rest.end - 1] };
    const depth = Math.max(rest.value.depth, 1 + depthOf(of.value));
    return { value: { type: 'swap', ...rest.value, ...typed, target: of.value, depth }, end: rest.end };
  }

  private swapArguments(operator: number): Match<SwapArguments> | null {
    this.readBracketsFrom(operator);
    this.swaps ??= new Map();
    let match = this.swaps.get(operator);
    if (match === undefined) {
      match = this.readSwapArguments(operator);
      this.swaps.set(operator, match);
    }
    return match;
  }

  private readSwapArguments(operator: number): Match<SwapArguments> | null {
    const open = literal(this.text, operator + '.swap'.length, '(');
    if (open < 0) return null;
    const inside = this.body(open, false);
    const comma = literal(this.text, inside.end, ',');
    const given = comma < 0 ? null : this.options(comma);
    const close = literal(this.text, given ? given.end : inside.end, ')');
    if (close < 0) return null;
    const value: SwapArguments = {
      edited: inside.value,
      editedRange:
        inside.end > open
          ? this.range(open, inside.end)
          : { start: this.source.ends[open - 1], end: this.source.ends[open - 1] },
      operator: this.range(operator, operator + '.swap'.length),
      options: given?.value ?? [],
      depth: 1 + deepestOf(inside.value),
    };
    return { value, end: close };
  }

  private lora(at: number): Match<Lora> | null {
    const start = skip(this.text, at);
    const trigger = loraTriggers.find((name) => this.text.startsWith(name, start));
    const open = trigger ? literal(this.text, start + trigger.length, '(') : -1;
    const name = open < 0 ? null : regex(this.text, keyword, skip(this.text, open));
    if (!trigger || !name) return null;
    const comma = literal(this.text, name.end, ',');
    const weight = comma < 0 ? null : this.number(comma);
    const close = literal(this.text, weight ? weight.end : name.end, ')');
    if (close < 0) return null;
    const typed = weight && this.range(skip(this.text, comma), weight.end);
    const value: Lora = {
      type: 'lora',
      ...this.range(start, close),
      trigger,
      name: name.value,
      weight: weight ? weight.value : 1,
      number: typed,
    };
    return { value, end: close };
  }

  private punctuation(start: number): Match<Word> | null {
    return this.text[start] === ',' || this.text[start] === '.' ? this.textMatch(start, start + 1, false) : null;
  }

  private freeWord(start: number): Match<Word> | null {
    let end = start;
    while (end < this.text.length && !isKind(this.text, end, asciiSpace)) end++;
    return end === start ? null : this.textMatch(start, end, true);
  }

  body(at: number, commas: boolean): Match<readonly Item[]> {
    let match = this.inBody(at, commas);
    if (!match) return { value: [], end: at };
    // Most are alone, and an empty array takes room for 17 when the first is added.
    const value = [match.value];
    let { end } = match;
    for (match = this.inBody(end, commas); match; match = this.inBody(end, commas)) {
      value.push(match.value);
      end = match.end;
    }
    return { value, end };
  }

  private inBody(at: number, commas: boolean): Match<Item> | null {
    const start = skip(this.text, at);
    const lora = this.lora(start);
    if (lora) return lora;
    const target = this.target(start);
    if (target) return this.attention(target) ?? this.swap(target) ?? target;
    return commas ? this.punctuation(start) : null;
  }

  /** Items, and the whitespace between them that no item skips. */
  prompt(at: number): Match<readonly Item[]> {
    const value: Item[] = [];
    let end = at;
    for (;;) {
      const match = this.item(end);
      if (match) value.push(match.value);
      const next = match ? match.end : this.whitespace(end);
      if (next === end) return { value, end };
      end = next;
    }
  }

  private item(at: number): Match<Item> | null {
    const start = skip(this.text, at);
    const target = this.target(start);
    const swap = target && this.swap(target);
    const match = swap ?? this.lora(start) ?? (target && this.attention(target));
    return match ?? (target?.value.type === 'group' ? target : this.freeWord(at));
  }

  /** End of the whitespace that begins at a place. */
  private whitespace(at: number): number {
    return regex(this.text, white, at)?.end ?? at;
  }

  loras(at: number): Match<readonly Lora[]> {
    return many(at, (place) => this.lora(place));
  }

  private option(at: number): Match<Option> | null {
    const start = skip(this.text, at);
    const key = regex(this.text, keyword, start);
    const equals = key ? literal(this.text, key.end, '=') : -1;
    const value = equals < 0 ? null : (this.number(equals) ?? regex(this.text, keyword, skip(this.text, equals)));
    const weight = value ? null : this.number(start);
    const end = value?.end ?? weight?.end ?? key?.end;
    if (end === undefined) return null;
    const name = weight ? pythonNumber(weight.value) : key!.value;
    return { value: { ...this.range(start, end), key: name, value: value ? value.value : null }, end };
  }

  private options(at: number): Match<readonly Option[]> {
    let first = true;
    return many(at, (p) => {
      const start = first ? p : literal(this.text, p, ',');
      first = false;
      return start < 0 ? null : this.option(start);
    });
  }

  composite(at: number, operator: Composite['operator']): Match<Composite> | null {
    const start = skip(this.text, at);
    let end = literal(this.text, start, '(');
    if (end < 0) return null;
    const parts: Composite['parts'][number][] = [];
    for (;;) {
      const first = skip(this.text, end);
      const part = this.target(first) ?? this.quote(first, true);
      if (!part) return null;
      parts.push({ start: part.value.start, end: part.value.end, items: [part.value] });
      const comma = literal(this.text, part.end, ',');
      if (comma < 0) {
        end = part.end;
        break;
      }
      end = comma;
    }
    const close = literal(this.text, end, ')');
    if (close < 0) return null;
    const names = operator === 'and' ? ['.and', '.add'] : ['.blend'];
    const name = names.find((candidate) => literal(this.text, close, candidate) >= 0);
    const open = name ? literal(this.text, literal(this.text, close, name), '(') : -1;
    if (open < 0) return null;
    const given = this.options(open);
    const last = literal(this.text, given.end, ')');
    if (last < 0) return null;
    const value: Composite = {
      ...this.range(start, last),
      operator,
      parts,
      options: given.value,
      call: this.range(skip(this.text, close), last),
    };
    return { value, end: last };
  }
}

function emptyWord(at: number): Word {
  return { type: 'word', start: at, end: at, text: noText, free: false };
}

function depthOf(item: Item): number {
  return 'depth' in item ? item.depth : 0;
}

export function deepestOf(items: readonly Item[]): number {
  let depth = 0;
  for (const item of items) depth = Math.max(depth, depthOf(item));
  return depth;
}

export function isNothing(items: readonly Item[]): boolean {
  return items.every((item) => item.type === 'group' && item.empty);
}

const escapedWhitespace: Record<string, string> = { '\\t': '\t', '\\n': '\n', '\\f': '\f', '\\r': '\r' };

/** Reads `\n` and the like in a quoted text as whitespace; its quotes remain escaped. */
function unquote(source: SourceText): SourceText {
  if (!source.text.includes('\\')) return source;
  const pieces: SourceText[] = [];
  let from = 0;
  for (const { 0: escaped, index } of source.text.matchAll(/\\[tnfr]/g)) {
    const typed = { start: source.starts[index], end: source.ends[index + 1] };
    pieces.push(sliceSource(source, from, index), replacement(escapedWhitespace[escaped], typed));
    from = index + 2;
  }
  return from === 0 ? source : joinSources([...pieces, sliceSource(source, from)]);
}

/**
 * `base` (1.1 or 0.9) to the power of `exponent`, correctly rounded, which `**` is not everywhere: weights written in two
 * ways must compare as they do in Python.
 */
function power(base: number, exponent: number): number {
  if (exponent > 7500) return base > 1 ? Number.POSITIVE_INFINITY : 0;
  const exact = BigInt(base * 2 ** 53) ** BigInt(exponent);
  const shift = Math.max(0, exact.toString(16).length * 4 - 80);
  const rest = exact & ((1n << BigInt(shift)) - 1n);
  const leading = (exact >> BigInt(shift)) | (rest === 0n ? 0n : 1n);
  const scale = shift - 53 * exponent;
  return Number(leading) * 2 ** Math.ceil(scale / 2) * 2 ** Math.floor(scale / 2);
}

/** Prints a float as Python does, except for very large and very small ones. */
function pythonNumber(value: number): string {
  if (Number.isFinite(value)) return Number.isInteger(value) ? value.toFixed(1) : String(value);
  return value > 0 ? 'inf' : '-inf';
}
