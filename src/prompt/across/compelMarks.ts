/** Compel's weights, operators and LoRAs where A1111 or ComfyUI reads them: as text. */
import type { Diagnostic, Range, SourceText, WeightedNode } from '../ast.ts';
import { type Fix, fixWith, info, warning } from '../diagnostics.ts';
import { countBefore, outermost, typedRange } from '../sourceText.ts';
import { programs } from '../syntax.ts';
import { joinedByBreak } from './joinedByBreak.ts';
import { decimal } from './translate.ts';
import { eachWeight, type WeighedText, weightAt } from './weighedText.ts';

type OtherSyntax = 'a1111' | 'comfy';

const signsOrNumber = String.raw`(\+{1,9}|-{1,9})|(\d{1,9}\.\d{1,9}|\.\d{1,9}|\d{1,9})`;
const notWithin = String.raw`(?=$|[\s,.;:!?)"|\]])`;
const afterBracket = new RegExp(String.raw`\)(?:${signsOrNumber})${notWithin}`, 'g');
const afterQuote = new RegExp(String.raw`"([^"\n]*)"(?:(?:${signsOrNumber})${notWithin})?`, 'g');
const afterWord =
  /(?<=^|[\s,(])([\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_'’-]*[\p{L}\p{N}_])?)(\+{1,9}|-{2,9})(?=$|[\s,.)]|:-?[\d.]{1,30}\))/gu;
const attend = new RegExp(String.raw`\.attend\(\s{0,9}(?:${signsOrNumber})\s{0,9}\)`, 'g');
const wordBefore = /(?<![^\s,("])[\p{L}\p{N}_][\p{L}\p{M}\p{N}_'’-]*$/u;
const lora =
  /(?:with|use)Lora\(\s{0,9}([\w-]{1,200})\s{0,9}(?:,\s{0,9}(\d{1,9}\.\d{0,9}|\.\d{1,9}|\d{1,9})\s{0,9})?\)/g;
/** A quotation in which nothing weighs, in Compel or elsewhere. */
const plainQuotation = /^(?![+-])[\p{L}\p{M}\p{N} ,'’-]*[\p{L}\p{N}]$/u;

/** The weight that Compel gives to signs or to a number. */
function compelValue(signs: string | undefined, number: string): number {
  return signs ? (signs[0] === '+' ? 1.1 : 0.9) ** signs.length : Number(number);
}

/** Brackets of the text, and where a mark of Compel after them would be a weight. */
interface Brackets {
  /** Brackets without a number that such a mark may follow, by the place that closes them, each with the weight around it. */
  readonly byClose: ReadonlyMap<number, { readonly node: WeightedNode; readonly around: number }>;
  /** ComfyUI: brackets whose number replaces the weight around them. */
  readonly replacing: readonly Range[];
  /** ComfyUI: outermost brackets whose mark is to become a number, which those inside them must wait for. */
  readonly waiting: readonly Range[];
}

/** Finds `x++`, `(x)1.2`, `"x".attend(1.2)` and `withLora(x)` in A1111 and ComfyUI. */
export function compelMarks(weighed: WeighedText, syntax: OtherSyntax): Diagnostic[] {
  const brackets = bracketsOf(weighed, syntax);
  return [
    ...afterBrackets(weighed, syntax, brackets),
    ...afterQuotes(weighed, syntax, brackets),
    ...afterWords(weighed, syntax, brackets),
    ...attendCalls(weighed, syntax, brackets),
    ...loraCalls(weighed.text, syntax),
  ];
}

function bracketsOf({ text: source, nodes }: WeighedText, syntax: OtherSyntax): Brackets {
  const byClose = new Map<number, { readonly node: WeightedNode; readonly around: number }>();
  const replacing: Range[] = [];
  const marked = new Set<number>();
  for (const { index } of source.text.matchAll(afterBracket)) marked.add(source.starts[index]);
  for (const { index } of source.text.matchAll(attend)) marked.add(source.starts[index - 1]);
  if (marked.size === 0) return { byClose, replacing, waiting: [] };
  eachWeight(nodes, (node, around) => {
    if (node.effect === 'replace') replacing.push(node);
    const { form, open, close } = node;
    if (form === 'round' && open && close && marked.has(close.start)) byClose.set(close.start, { node, around });
  });
  const waiting = syntax === 'a1111' ? [] : outermost(Array.from(byClose.values(), ({ node }) => node));
  return { byClose, replacing, waiting };
}

function afterBrackets(weighed: WeighedText, syntax: OtherSyntax, brackets: Brackets): Diagnostic[] {
  const { text: source } = weighed;
  return Array.from(source.text.matchAll(afterBracket)).flatMap(({ 0: typed, 1: signs, 2: number, index }) => {
    const to = index + typed.length;
    if (!brackets.byClose.has(source.starts[index])) return [];
    const isSure = number === undefined || number.includes('.');
    const fix = groupFix(source, syntax, brackets, { at: index, to, value: compelValue(signs, number) });
    return [weightMark(source, syntax, { from: index + 1, to, isSure, fix })];
  });
}

function afterQuotes(weighed: WeighedText, syntax: OtherSyntax, brackets: Brackets): Diagnostic[] {
  const { text: source } = weighed;
  return Array.from(source.text.matchAll(afterQuote)).flatMap(({ 0: typed, 1: quoted, 2: signs, 3: number, index }) => {
    if (signs === undefined && number === undefined) return [];
    const [from, to] = [index + quoted.length + 2, index + typed.length];
    const words = { start: index, end: from };
    const fix = wordsFix(weighed, syntax, brackets, { words, to, value: compelValue(signs, number) });
    return [weightMark(source, syntax, { from, to, isSure: true, fix })];
  });
}

function afterWords(weighed: WeighedText, syntax: OtherSyntax, brackets: Brackets): Diagnostic[] {
  const { text: source } = weighed;
  return Array.from(source.text.matchAll(afterWord)).flatMap(({ 0: typed, 1: word, 2: signs, index }) => {
    // C++, 18+
    if (!/\p{L}.*\p{L}/u.test(word)) return [];
    const [from, to] = [index + word.length, index + typed.length];
    const words = { start: index, end: from };
    const fix = wordsFix(weighed, syntax, brackets, { words, to, value: compelValue(signs, '') });
    return [weightMark(source, syntax, { from, to, isSure: signs.length > 1, fix })];
  });
}

function attendCalls(weighed: WeighedText, syntax: OtherSyntax, brackets: Brackets): Diagnostic[] {
  const { text: source } = weighed;
  const { text } = source;
  const fixOf = (at: number, to: number, value: number): Fix | undefined => {
    if (text[at - 1] === ')') return groupFix(source, syntax, brackets, { at: at - 1, to, value });
    const start =
      text[at - 1] === '"'
        ? text.lastIndexOf('"', at - 2)
        : at - (wordBefore.exec(text.slice(Math.max(0, at - 100), at))?.[0].length ?? at + 1);
    return start < 0 ? undefined : wordsFix(weighed, syntax, brackets, { words: { start, end: at }, to, value });
  };
  return Array.from(text.matchAll(attend), ({ 0: typed, 1: signs, 2: number, index }) => {
    const to = index + typed.length;
    const fix = fixOf(index, to, compelValue(signs, number));
    return weightMark(source, syntax, { from: index, to, isSure: true, fix });
  });
}

function loraCalls(source: SourceText, syntax: OtherSyntax): Diagnostic[] {
  return Array.from(source.text.matchAll(lora), ({ 0: typed, 1: name, 2: number, index }) => {
    const to = index + typed.length;
    const range = typedRange(source, index, to)!;
    const tag = `<lora:${name}:${number ?? '1'}>`;
    const advice = syntax === 'comfy' ? 'load it with a node' : `write ${tag}`;
    const message = `This is how Compel names a LoRA: ${programs[syntax]} encodes it as text and loads nothing, so ${advice}.`;
    const canFix = syntax === 'a1111' && isWhole(source, index, to);
    const fix = canFix ? fixWith(`Write ${tag}`, { ...range, insert: tag }) : undefined;
    return warning('compel-lora', range, message, fix);
  });
}

function weightMark(
  source: SourceText,
  syntax: OtherSyntax,
  { from, to, isSure, fix }: { from: number; to: number; isSure: boolean; fix: Fix | undefined },
): Diagnostic {
  const typed = source.text.slice(from, to);
  const message = `“${typed}” is how Compel weighs: ${programs[syntax]} encodes it as text, so write (…:1.2) for a weight.`;
  return (isSure ? warning : info)('compel-weight', typedRange(source, from, to)!, message, fix);
}

/** Moves the mark that follows the bracket at unit `at`, up to unit `to`, into the bracket. */
function groupFix(
  source: SourceText,
  syntax: OtherSyntax,
  { byClose, replacing, waiting }: Brackets,
  { at, to, value }: { at: number; to: number; value: number },
): Fix | undefined {
  const closed = byClose.get(source.starts[at]);
  if (!closed || !isWhole(source, at, to) || closed.node.children.length === 0) return undefined;
  const { node, around } = closed;
  if (isInside(node.start, waiting) || beginsIn(node, replacing)) return undefined;
  const insert = closing(syntax, value, around);
  return fixWith(value === 1.1 ? 'Remove it' : `Write (…${insert}`, { ...typedRange(source, at, to)!, insert });
}

/** Puts words or a quotation, and the mark that follows up to unit `to`, into brackets. */
function wordsFix(
  { text: source, fragments }: WeighedText,
  syntax: OtherSyntax,
  { waiting }: Brackets,
  { words, to, value }: { words: Range; to: number; value: number },
): Fix | undefined {
  const { start, end } = words;
  const isQuoted = source.text[start] === '"';
  const typed = isQuoted ? source.text.slice(start + 1, end - 1) : source.text.slice(start, end);
  if (!isWhole(source, start, to) || (isQuoted && !plainQuotation.test(typed))) return undefined;
  if (isInside(source.starts[start], waiting)) return undefined;
  const insert = `(${typed}${closing(syntax, value, weightAt(fragments, source.starts[start]))}`;
  const label = `Write ${insert.length > 40 ? '(…)' : insert}`;
  return fixWith(label, { ...typedRange(source, start, to)!, insert });
}

/** Closes a bracket that weighs `value` times what is around it. */
function closing(syntax: OtherSyntax, value: number, around: number): string {
  return value === 1.1 ? ')' : `:${decimal(syntax === 'comfy' ? around * value : value)})`;
}

/** Whether no comment or tag was typed within the units [from, to). */
function isWhole({ starts, ends }: SourceText, from: number, to: number): boolean {
  return ends[to - 1] - starts[from] === to - from;
}

function beginsIn(outer: Range, ranges: readonly Range[]): boolean {
  return (ranges[countBefore(ranges, outer.start)]?.start ?? outer.end) < outer.end;
}

/** Whether `place` is in one of `ranges`, which do not overlap, and not at its beginning. */
function isInside(place: number, ranges: readonly Range[]): boolean {
  const around = ranges[countBefore(ranges, place) - 1];
  return around !== undefined && place < around.end;
}

/** Finds `(…).and()`, `(…).blend()` and `x.swap(y)` in A1111 and ComfyUI. */
export function compelComposites(source: string, syntax: OtherSyntax): Diagnostic[] {
  const calls = Array.from(source.matchAll(/(?<=\))\s{0,9}\.(?:and|add|blend)\(|(?<=[\p{L}\p{N})"])\.swap\(/gu));
  const isSwap = (typed: string) => typed.includes('swap');
  const and =
    syntax === 'a1111' && calls.some(({ 0: typed }) => /and|add/.test(typed)) ? joinedByBreak(source) : undefined;
  return calls.map(({ 0: typed, index }) => {
    const [start, end] = [index + typed.indexOf('.'), index + typed.length - 1];
    const name = source.slice(start, end);
    const instead = {
      a1111: isSwap(name)
        ? 'write [a:b:0.5] to go from one to the other while it draws'
        : name === '.blend'
          ? 'write AND between the parts for what comes nearest'
          : 'write BREAK between the parts',
      comfy: isSwap(name)
        ? 'leave it out'
        : `encode the parts by themselves and join them with ConditioningConcat or ConditioningAverage`,
    }[syntax];
    const message = `“${name}()” is of Compel and only text in ${programs[syntax]}: ${instead}.`;
    const fix = /and|add/.test(name) ? and : undefined;
    return warning('compel-operator', { start, end }, message, fix);
  });
}
