import { a1111Leftovers } from '../across/a1111Leftovers.ts';
import type { Diagnostic, Fragment, Node, ParsedPrompt, Range, SourceText } from '../ast.ts';
import { deepest, fragmentNodes } from '../fragments.ts';
import { asciiDigits, pythonFloat, pythonSpace, withoutOuter } from '../pythonText.ts';
import { sliceSource, sourceText, typedRange } from '../sourceText.ts';

/** Nesting at which the original's recursion reaches Python's limit, or nearly. */
const tooDeep = 900;

const numberLike = new RegExp(`^[${pythonSpace}.,%+\\-\\p{Nd}]*$`, 'u');
const embedding = new RegExp(`(?<=^|[ \\n])embedding:[^${pythonSpace}]+`, 'g');

/** The prompt while it is read. */
interface Reading {
  readonly source: string;
  /** The prompt with `\)` as U+0000 U+0001 and `\(` as U+0000 U+0002: as long as it was. */
  readonly text: string;
  /** [text.length] Where each `(` is closed, counting from it; 0 where it is not. */
  readonly closing: Uint32Array;
  /** [text.length + 1] 1 + the place of the last colon before each unit; 0 where there is none. */
  readonly colonBefore: Uint32Array;
  /** [text.length + 1] The same of the last bracket. */
  readonly bracketBefore: Uint32Array;
  readonly fragments: Fragment[];
  readonly diagnostics: Diagnostic[];
  depth: number;
}

/**
 * ComfyUI's weights, as `token_weights` of comfy/sd1_clip.py reads them: `(x)` weighs 1.1 times what is around it, `(x:1.5)`
 * weighs 1.5 whatever is around it, `\(` is the character. The number is whatever Python's `float()` takes. Brackets that
 * do not pair are text, and so is the next `(` after a `)` too many.
 *
 * Deeper than 900 brackets, where the original stops, all is text. In prompts nested more than 100 deep each fragment is
 * a node of its own.
 */
export function parseComfy(source: string): ParsedPrompt {
  const text = source.replaceAll('\\)', '\0\x01').replaceAll('\\(', '\0\x02');
  const reading: Reading = { source, text, ...landmarks(text), fragments: [], diagnostics: [], depth: 0 };
  const nodes = read(reading, 0, text.length, 1, 0);
  const { fragments, diagnostics } = reading;
  const leftovers = a1111Leftovers(source, { program: 'ComfyUI', open: '(', close: ':0.9)' });
  return {
    source,
    nodes: reading.depth > deepest ? fragmentNodes(fragments) : nodes,
    fragments,
    diagnostics: diagnostics.concat(unpairedBrackets(reading), leftovers).sort((a, b) => a.start - b.start),
  };
}

/** The units [from, to) with `weight` around them. */
function read(reading: Reading, from: number, to: number, weight: number, depth: number): Node[] {
  const { text } = reading;
  reading.depth = Math.max(reading.depth, depth);
  return topLevel(reading, from, to).flatMap(({ start, end }): Node[] => {
    const isGroup = end - start >= 2 && text[start] === '(' && text[end - 1] === ')';
    if (isGroup && depth < tooDeep) return [readGroup(reading, start, end, weight, depth)];
    if (isGroup) reading.diagnostics.push(nestedTooDeep({ start, end: start + 1 }));
    const typed = withoutEscapes(reading, start, end);
    reading.fragments.push({ kind: 'text', weight, ...typed, start, end });
    return textNodes(typed);
  });
}

function readGroup(reading: Reading, start: number, end: number, around: number, depth: number): Node {
  const { text } = reading;
  const inside = start + 1;
  const colon = reading.colonBefore[end - 1] - 1;
  // No number has a bracket in it, and what follows the last colon may be most of the prompt.
  const isTail = colon > inside && reading.bracketBefore[end - 1] - 1 < colon;
  const tail = isTail ? text.slice(colon + 1, end - 1) : null;
  const number = tail === null ? null : pythonFloat(tail);
  const value = number ?? 1.1;
  const weight = number ?? around * value;
  const typed = tail?.trim() ?? '';
  const numberStart = end - 1 - (tail?.trimStart().length ?? 0);
  if (number === null && tail !== null && numberLike.test(tail.slice(0, 40)) && tail.length <= 40)
    reading.diagnostics.push(notANumber(reading.source, { start: colon, end: end - 1 }));
  if (number !== null && !Number.isFinite(number))
    reading.diagnostics.push(notFinite({ start: numberStart, end: numberStart + typed.length }));
  const children = read(reading, inside, number === null ? end - 1 : colon, weight, depth + 1);
  return {
    type: 'weighted',
    start,
    end,
    children,
    value,
    effect: number === null ? 'multiply' : 'replace',
    form: number === null ? 'round' : 'round-number',
    open: { start, end: inside },
    close: { start: number === null ? end - 1 : colon, end },
    number: number === null ? null : { start: numberStart, end: numberStart + typed.length },
  };
}

function landmarks(text: string): Pick<Reading, 'closing' | 'colonBefore' | 'bracketBefore'> {
  const closing = new Uint32Array(text.length);
  const colonBefore = new Uint32Array(text.length + 1);
  const bracketBefore = new Uint32Array(text.length + 1);
  const open: number[] = [];
  for (let i = 0; i < text.length; i++) {
    colonBefore[i + 1] = text[i] === ':' ? i + 1 : colonBefore[i];
    bracketBefore[i + 1] = text[i] === '(' || text[i] === ')' ? i + 1 : bracketBefore[i];
    if (text[i] === '(') open.push(i);
    else if (text[i] === ')' && open.length > 0) closing[open.pop()!] = i;
  }
  return { closing, colonBefore, bracketBefore };
}

/** Brackets with what is in them, and the text between. After a `)` too many the next `(` is text. */
function topLevel({ text, closing }: Reading, from: number, to: number): Range[] {
  const items: Range[] = [];
  let surplus = 0;
  let start = from;
  for (let i = from; i < to; i++) {
    if (text[i] === ')') surplus++;
    if (text[i] !== '(') continue;
    if (surplus > 0) {
      surplus--;
      continue;
    }
    if (i > start) items.push({ start, end: i });
    start = i;
    if (closing[i] === 0 || closing[i] >= to) break;
    i = closing[i];
    items.push({ start, end: i + 1 });
    start = i + 1;
  }
  if (to > start) items.push({ start, end: to });
  return items;
}

function withoutEscapes({ source, text }: Reading, from: number, to: number): SourceText {
  const escaped = text.slice(from, to);
  const unescaped = escaped.replaceAll('\0\x01', ')').replaceAll('\0\x02', '(');
  if (unescaped.length === escaped.length) return sourceText(source, from, to);
  const starts: number[] = Array(unescaped.length);
  const ends: number[] = Array(unescaped.length);
  for (let i = 0, at = from; i < unescaped.length; i++) {
    starts[i] = at;
    at += unescaped[i] === text[at] ? 1 : 2;
    ends[i] = at;
  }
  return { text: unescaped, starts, ends };
}

/** Text, and what names a file of vectors between spaces. */
function textNodes(text: SourceText): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  const pushText = (to: number) => {
    const range = typedRange(text, from, to);
    if (range) nodes.push({ type: 'text', ...sliceSource(text, from, to), ...range });
  };
  for (const { 0: word, index } of text.text.matchAll(embedding)) {
    const name = withoutOuter(word, ',', 'embedding:'.length);
    const range = typedRange(text, index, index + name.end);
    if (name.start === name.end || !range) continue;
    pushText(index);
    nodes.push({ type: 'network', ...range, kind: 'embedding', name: word.slice(name.start, name.end), args: [] });
    from = index + name.end;
  }
  pushText(text.text.length);
  return nodes;
}

/** Brackets without another, and not those that only lost theirs to a `)` too many. */
function unpairedBrackets({ source, text }: Reading): Diagnostic[] {
  const open: { readonly at: number; readonly isText: boolean }[] = [];
  const surplus: { readonly at: number; swallows: boolean }[] = [];
  let level = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') {
      if (level < 0) surplus[surplus.length - 1].swallows = true;
      open.push({ at, isText: level < 0 });
      level++;
    } else if (text[at] === ')') {
      if (!open.pop()) surplus.push({ at, swallows: false });
      level--;
    }
  }
  const unmatched = surplus.map(({ at, swallows }) => unmatchedBracket(at, swallows));
  return unmatched.concat(open.filter(({ isText }) => !isText).map(({ at }) => unclosedBracket(at, source)));
}

function unmatchedBracket(at: number, swallows: boolean): Diagnostic {
  const consequence = swallows ? 'it and the next “(” are characters' : 'it is a character';
  return {
    code: 'unmatched-bracket',
    severity: 'warning',
    start: at,
    end: at + 1,
    message: `No “(” is open for this “)” to close, so ${consequence}: remove it, or type “\\)” to keep it.`,
    fix: { label: 'Type “\\)”', edits: [{ start: at, end: at, insert: '\\' }] },
  };
}

function unclosedBracket(at: number, source: string): Diagnostic {
  const end = source.length;
  const fix =
    source.at(-1) === '\\'
      ? { label: 'Type “\\(”', edits: [{ start: at, end: at, insert: '\\' }] }
      : { label: 'Close it at the end', edits: [{ start: end, end, insert: ')' }] };
  return {
    code: 'unclosed-bracket',
    severity: 'warning',
    start: at,
    end: at + 1,
    message: 'This “(” is never closed and weighs nothing: add a “)”, or type “\\(” for the character.',
    fix,
  };
}

function nestedTooDeep(range: Range): Diagnostic {
  return {
    code: 'nested-too-deep',
    severity: 'error',
    ...range,
    message: `Brackets nested ${tooDeep} deep stop ComfyUI with an error; here those further in are text: remove some.`,
  };
}

function notFinite(range: Range): Diagnostic {
  return {
    code: 'not-finite-weight',
    severity: 'warning',
    ...range,
    message: 'ComfyUI takes this for a weight, with which no number comes out of the encoder: write a finite one.',
  };
}

/** `tail` runs from the colon to the closing bracket. */
function notANumber(source: string, tail: Range): Diagnostic {
  const digits = asciiDigits(source.slice(tail.start + 1, tail.end)).trim();
  const diagnostic = { code: 'not-a-number-weight', severity: 'warning' as const, ...tail };
  const consequence = 'it is encoded as text and the brackets weigh 1.1';
  if (digits === '') {
    const message = `No number follows this colon, so ${consequence}: write one, or remove the colon.`;
    return { ...diagnostic, message, fix: { label: 'Remove the colon', edits: [{ ...tail, insert: '' }] } };
  }
  const message = `“${digits}” is not a number, so ${consequence}: write one such as 1.2.`;
  const value = /^[+-]?\d+,\d+$/.test(digits) ? digits.replace(',', '.') : String(Number.parseFloat(digits));
  if (!/^-?[\d.]+$/.test(value)) return { ...diagnostic, message };
  const number = { start: tail.start + 1, end: tail.end, insert: value };
  return { ...diagnostic, message, fix: { label: `Write ${value}`, edits: [number] } };
}
