import type { Range, SourceText } from '../ast.ts';
import { pythonFloat, pythonSpace } from '../pythonText.ts';
import { joinSources, replacement, sliceSource } from '../sourceText.ts';

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
  /** What stands before and after a blend. */
  readonly loras: readonly Lora[];
  /** `.and()`, `.blend()`, or else the items of one prompt. */
  readonly content: Composite | readonly Item[];
  /** Where nothing more fits, in units of the text read. */
  readonly end: number;
}

const syntactic = new Set('()",.+-=');
/** Python's string.whitespace. */
const asciiSpace = new Set(' \t\n\r\v\f');
/** What the grammar skips between its elements. */
const skipped = new Set(' \t\n\r');
/** What White() matches and, in front of that, skips. */
const white = /[\f\xa0\u1680\u180e\u2000-\u200b\u202f\u205f\u3000]*[ \t\r\n]+/y;
const free = /[^ \t\n\r\v\f]+/y;
const real = /[+-]?(?:\p{Nd}+\.\p{Nd}*|\.\p{Nd}+)/uy;
const integer = /-?[0-9]+/y;
const keyword = /[A-Za-z0-9_-]+/y;
const quoted = /"((?:\\"|[^"\n\r])*)"/y;
const onlySpace = new RegExp(`^[${pythonSpace}]*$`);

/** What follows the target of a swap. */
type SwapArguments = Pick<Swap, 'edited' | 'editedRange' | 'operator' | 'options' | 'depth'>;

/** What an element reads from a place in the text, and where it ends. */
interface Match<T> {
  readonly value: T;
  readonly end: number;
}

/** `,x` becomes `, x` before anything else is read. */
export function spaceAfterCommas(source: SourceText): SourceText {
  const pieces: SourceText[] = [];
  let from = 0;
  for (const { index } of source.text.matchAll(new RegExp(`,[^${pythonSpace}]`, 'gu'))) {
    const at = source.ends[index];
    pieces.push(sliceSource(source, from, index + 1), replacement(' ', { start: at, end: at }));
    from = index + 1;
  }
  return pieces.length === 0 ? source : joinSources([...pieces, sliceSource(source, from)]);
}

export function isBlank(text: string): boolean {
  return onlySpace.test(text);
}

/**
 * The text as Compel's grammar reads it: the alternatives of each element in order, the first that fits, no way back.
 * Where `literal`, everything is one prompt.
 */
export function readCompel(source: SourceText, literal = false): CompelTree {
  if (isBlank(source.text)) return { loras: [], content: [emptyWord(0)], end: source.text.length };
  const reader = createReader(source);
  const and = literal ? null : reader.composite(0, 'and');
  if (and) return { loras: [], content: and.value, end: and.end };
  const before = reader.loras(0);
  const blend = literal ? null : reader.composite(before.end, 'blend');
  const content = blend ?? reader.prompt(before.end);
  const after = reader.loras(content.end);
  return { loras: [...before.value, ...after.value], content: content.value, end: reader.skip(after.end) };
}

interface Reader {
  skip(at: number): number;
  /** Items that may stand in brackets; `commas` says whether those and full stops may. */
  body(at: number, commas: boolean): Match<readonly Item[]>;
  prompt(at: number): Match<readonly Item[]>;
  loras(at: number): Match<readonly Lora[]>;
  composite(at: number, operator: Composite['operator']): Match<Composite> | null;
}

function createReader(source: SourceText): Reader {
  const { text } = source;
  const groups = new Map<number, Match<Group> | null>();
  const quotes = new Map<number, Match<Group> | null>();
  const swaps = new Map<number, Match<SwapArguments> | null>();
  let lastWord: { readonly at: number; readonly match: Match<Word> | null } = { at: -1, match: null };
  let readAhead = false;

  function range(from: number, to: number): Range {
    return { start: source.starts[from], end: source.ends[to - 1] };
  }

  function skip(at: number): number {
    let end = at;
    while (skipped.has(text[end])) end++;
    return end;
  }

  /** Where `what` ends; −1 where something else comes next. */
  function literal(at: number, what: string): number {
    const start = skip(at);
    return text.startsWith(what, start) ? start + what.length : -1;
  }

  function regex(pattern: RegExp, at: number): Match<string> | null {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    return match && { value: match[0], end: pattern.lastIndex };
  }

  function textMatch(from: number, to: number, isFree: boolean): Match<Word> {
    return { value: { type: 'word', ...range(from, to), text: sliceSource(source, from, to), free: isFree }, end: to };
  }

  function word(at: number): Match<Word> | null {
    if (lastWord.at === at) return lastWord.match;
    const start = skip(at);
    let end = start;
    while (end < text.length) {
      const unit = text[end];
      if (unit === '\\' && syntactic.has(text[end + 1])) end += 2;
      else if (unit === '+' || unit === '-') {
        const next = text[end + 1];
        if (next === undefined || skipped.has(next) || syntactic.has(next)) break;
        end++;
      } else if (syntactic.has(unit) || asciiSpace.has(unit)) break;
      else end++;
    }
    const match = end === start ? null : textMatch(start, end, false);
    lastWord = { at, match };
    return match;
  }

  function number(at: number): Match<number> | null {
    const start = skip(at);
    const match = regex(real, start) ?? regex(integer, start);
    return match && { value: pythonFloat(match.value)!, end: match.end };
  }

  function signs(at: number): Match<number> | null {
    const start = skip(at);
    const sign = text[start];
    if (sign !== '+' && sign !== '-') return null;
    let end = start;
    while (text[end] === sign) end++;
    return { value: power(sign === '+' ? 1.1 : 0.9, end - start), end };
  }

  /** `(x)` with anything but a free word inside. */
  function group(at: number): Match<Group> | null {
    const open = skip(at);
    if (text[open] !== '(') return null;
    readBracketsFrom(open);
    const known = groups.get(open);
    if (known !== undefined) return known;
    const inside = body(open + 1, true);
    const close = literal(inside.end, ')');
    const match = close < 0 ? null : groupMatch(inside.value, range(open, open + 1), range(close - 1, close), close);
    groups.set(open, match);
    return match;
  }

  /** Reads all brackets once, the last first, so that none needs those further in to be read from within itself. */
  function readBracketsFrom(first: number): void {
    if (readAhead) return;
    readAhead = true;
    for (let open = text.lastIndexOf('('); open > first; open = text.lastIndexOf('(', open - 1)) {
      if (text[open - 1] === '\\') continue;
      group(open);
      let operator = open;
      while (skipped.has(text[operator - 1])) operator--;
      operator -= '.swap'.length;
      if (text.startsWith('.swap', operator)) swapArguments(operator);
    }
  }

  function groupMatch(children: readonly Item[], open: Range, close: Range, end: number): Match<Group> {
    const depth = 1 + deepestOf(children);
    const empty = isNothing(children);
    return { value: { type: 'group', start: open.start, end: close.end, children, open, close, empty, depth }, end };
  }

  /** `"x"` in one line, `\"` inside it standing for a quote. */
  function quote(at: number): Match<Group> | null {
    const open = skip(at);
    if (text[open] !== '"') return null;
    let match = quotes.get(open);
    if (match === undefined) {
      match = quoteOf(open, (inside) => inside.body(0, true));
      quotes.set(open, match);
    }
    return match;
  }

  function quoteOf(open: number, read: (inside: Reader) => Match<readonly Item[]>): Match<Group> | null {
    const match = text[open] === '"' ? regex(quoted, open) : null;
    if (!match) return null;
    const { end } = match;
    const marks = [range(open, open + 1), range(end - 1, end)] as const;
    const content = unquote(sliceSource(source, open + 1, end - 1));
    if (isBlank(content.text)) {
      return groupMatch([emptyWord(marks[0].end)], ...marks, end);
    }
    const inside = createReader(content);
    const items = read(inside);
    return inside.skip(items.end) < content.text.length ? null : groupMatch(items.value, ...marks, end);
  }

  function target(at: number): Match<Word | Group> | null {
    return quote(at) ?? group(at) ?? word(at);
  }

  function attention(at: number): Match<Weighted> | null {
    const of = target(at);
    if (!of) return null;
    const operator = literal(of.end, '.attend');
    const inside = operator < 0 ? -1 : literal(operator, '(');
    if (inside >= 0) {
      const weight = signs(inside) ?? number(inside);
      const close = weight ? literal(weight.end, ')') : -1;
      if (weight && close >= 0) return weighted(of.value, 'attend', weight, range(skip(inside), weight.end), close);
    }
    if (skipped.has(text[of.end])) return null;
    const sign = signs(of.end);
    if (sign) return weighted(of.value, 'suffix-signs', sign, range(of.end, sign.end), sign.end);
    const weight = of.value.type === 'group' ? number(of.end) : null;
    return weight && weighted(of.value, 'suffix-number', weight, range(of.end, weight.end), weight.end);
  }

  function weighted(
    of: Word | Group,
    form: Weighted['form'],
    { value }: Match<number>,
    typed: Range,
    end: number,
  ): Match<Weighted> {
    const range = { start: of.start, end: source.ends[end - 1] };
    return {
      value: { type: 'weighted', ...range, target: of, form, value, number: typed, depth: 1 + depthOf(of) },
      end,
    };
  }

  function swap(at: number): Match<Swap> | null {
    const of = target(at);
    if (!of) return null;
    const operator = skip(of.end);
    const rest = text.startsWith('.swap', operator) ? swapArguments(operator) : null;
    if (!rest) return null;
    const typed = { start: of.value.start, end: source.ends[rest.end - 1] };
    const depth = Math.max(rest.value.depth, 1 + depthOf(of.value));
    return { value: { type: 'swap', ...rest.value, ...typed, target: of.value, depth }, end: rest.end };
  }

  function swapArguments(operator: number): Match<SwapArguments> | null {
    readBracketsFrom(operator);
    let match = swaps.get(operator);
    if (match === undefined) {
      match = readSwapArguments(operator);
      swaps.set(operator, match);
    }
    return match;
  }

  function readSwapArguments(operator: number): Match<SwapArguments> | null {
    const open = literal(operator + '.swap'.length, '(');
    if (open < 0) return null;
    const inside = body(open, false);
    const comma = literal(inside.end, ',');
    const given = comma < 0 ? null : options(comma);
    const close = literal(given ? given.end : inside.end, ')');
    if (close < 0) return null;
    const value: SwapArguments = {
      edited: inside.value,
      editedRange:
        inside.end > open ? range(open, inside.end) : { start: source.ends[open - 1], end: source.ends[open - 1] },
      operator: range(operator, operator + '.swap'.length),
      options: given?.value ?? [],
      depth: 1 + deepestOf(inside.value),
    };
    return { value, end: close };
  }

  function lora(at: number): Match<Lora> | null {
    const start = skip(at);
    const trigger = ['useLora', 'withLora'].find((name) => text.startsWith(name, start));
    const open = trigger ? literal(start + trigger.length, '(') : -1;
    const name = open < 0 ? null : regex(keyword, skip(open));
    if (!trigger || !name) return null;
    const comma = literal(name.end, ',');
    const weight = comma < 0 ? null : number(comma);
    const close = literal(weight ? weight.end : name.end, ')');
    if (close < 0) return null;
    const typed = weight && range(skip(comma), weight.end);
    const value: Lora = {
      type: 'lora',
      ...range(start, close),
      trigger,
      name: name.value,
      weight: weight ? weight.value : 1,
      number: typed,
    };
    return { value, end: close };
  }

  function punctuation(at: number): Match<Word> | null {
    const start = skip(at);
    return text[start] === ',' || text[start] === '.' ? textMatch(start, start + 1, false) : null;
  }

  function freeWord(at: number): Match<Word> | null {
    const match = regex(free, at);
    return match && textMatch(at, match.end, true);
  }

  /** Every match `next` finds, one after the other. */
  function many<T>(at: number, next: (at: number) => Match<T> | null): Match<T[]> {
    const value: T[] = [];
    let end = at;
    for (let match = next(end); match; match = next(end)) {
      value.push(match.value);
      end = match.end;
    }
    return { value, end };
  }

  function body(at: number, commas: boolean): Match<readonly Item[]> {
    return many<Item>(
      at,
      (p) => lora(p) ?? attention(p) ?? swap(p) ?? group(p) ?? quote(p) ?? word(p) ?? (commas ? punctuation(p) : null),
    );
  }

  function prompt(at: number): Match<readonly Item[]> {
    const next = (p: number): Match<Item> | null =>
      swap(p) ?? lora(p) ?? attention(p) ?? quote(p) ?? group(p) ?? freeWord(p);
    const value: Item[] = [];
    let end = at;
    for (;;) {
      const match = next(end) ?? regex(white, end);
      if (!match) return { value, end };
      if (typeof match.value !== 'string') value.push(match.value);
      end = match.end;
    }
  }

  function loras(at: number): Match<readonly Lora[]> {
    return many(at, lora);
  }

  function option(at: number): Match<Option> | null {
    const start = skip(at);
    const key = regex(keyword, start);
    const equals = key ? literal(key.end, '=') : -1;
    const value = equals < 0 ? null : (number(equals) ?? regex(keyword, skip(equals)));
    const weight = value ? null : number(start);
    const end = value?.end ?? weight?.end ?? key?.end;
    if (end === undefined) return null;
    const name = weight ? pythonNumber(weight.value) : key!.value;
    return { value: { ...range(start, end), key: name, value: value ? value.value : null }, end };
  }

  function options(at: number): Match<readonly Option[]> {
    let first = true;
    return many(at, (p) => {
      const start = first ? p : literal(p, ',');
      first = false;
      return start < 0 ? null : option(start);
    });
  }

  function composite(at: number, operator: Composite['operator']): Match<Composite> | null {
    const start = skip(at);
    let end = literal(start, '(');
    if (end < 0) return null;
    const parts: Composite['parts'][number][] = [];
    for (;;) {
      const part = target(end) ?? quoteOf(skip(end), (inside) => inside.prompt(0));
      if (!part) return null;
      parts.push({ start: part.value.start, end: part.value.end, items: [part.value] });
      const comma = literal(part.end, ',');
      if (comma < 0) {
        end = part.end;
        break;
      }
      end = comma;
    }
    const close = literal(end, ')');
    if (close < 0) return null;
    const names = operator === 'and' ? ['.and', '.add'] : ['.blend'];
    const name = names.find((candidate) => literal(close, candidate) >= 0);
    const open = name ? literal(literal(close, name), '(') : -1;
    if (open < 0) return null;
    const given = options(open);
    const last = literal(given.end, ')');
    if (last < 0) return null;
    const value: Composite = {
      ...range(start, last),
      operator,
      parts,
      options: given.value,
      call: range(skip(close), last),
    };
    return { value, end: last };
  }

  return { skip, body, prompt, loras, composite };
}

function emptyWord(at: number): Word {
  return { type: 'word', start: at, end: at, text: { text: '', starts: [], ends: [] }, free: false };
}

function depthOf(item: Item): number {
  return 'depth' in item ? item.depth : 0;
}

export function deepestOf(items: readonly Item[]): number {
  return items.reduce((depth, item) => Math.max(depth, depthOf(item)), 0);
}

export function isNothing(items: readonly Item[]): boolean {
  return items.every((item) => item.type === 'group' && item.empty);
}

const escapedWhitespace: Record<string, string> = { '\\t': '\t', '\\n': '\n', '\\f': '\f', '\\r': '\r' };

/** What a quoted text is read as: `\n` and the like are whitespace, and quotes remain escaped. */
function unquote(source: SourceText): SourceText {
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

/** As Python prints a float, except for very large and very small ones. */
function pythonNumber(value: number): string {
  if (Number.isFinite(value)) return Number.isInteger(value) ? value.toFixed(1) : String(value);
  return value > 0 ? 'inf' : '-inf';
}
