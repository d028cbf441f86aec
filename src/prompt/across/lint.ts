import { readA1111Prompt } from '../a1111/a1111Prompt.ts';
import { parseA1111 } from '../a1111/emphasis.ts';
import type { ScheduleNode } from '../a1111/schedule.ts';
import type { CommentNode, Diagnostic, Edit, Fragment, Node, Range, SourceText, WeightedNode } from '../ast.ts';
import { parseComfy } from '../comfy/comfyPrompt.ts';
import { type Group, type Item, readCompel, spaceAfterCommas } from '../compel/compelGrammar.ts';
import { parseCompel } from '../compel/compelPrompt.ts';
import { joinSources, replacement, sourceText, typedRange } from '../sourceText.ts';
import { programs, type Syntax, syntaxes } from '../syntax.ts';
import { decimal, printPrompt } from './translate.ts';

type Fix = NonNullable<Diagnostic['fix']>;

/** Weights beyond this are told of. */
const farWeight = 3;

/**
 * What someone used to another program probably meant, and weights that are likely a slip: only what the parser of `syntax`
 * does not say itself. Never throws. A fix means in `syntax` what the mark means in the other program.
 */
export function lintPrompt(source: string, syntax: Syntax): Diagnostic[] {
  return lints(source, syntax).sort((a, b) => a.start - b.start);
}

const marksOf: Readonly<Record<Syntax, readonly string[]>> = {
  a1111: [
    'a1111-weight',
    'a1111-word',
    'a1111-tag',
    'a1111-comment',
    'a1111-escape',
    'and-for-break',
    'square-brackets',
  ],
  compel: ['compel-weight', 'compel-operator', 'compel-lora'],
  comfy: ['comfy-embedding'],
};

/**
 * The language a prompt looks to be in rather than the one it was read in, and the first mark that says so: from what its
 * parser and `lintPrompt` say. Null where there are no such marks, or those of several.
 */
export function guessSyntax(
  diagnostics: readonly Diagnostic[],
): { readonly syntax: Syntax; readonly because: Diagnostic } | null {
  const found = syntaxes.flatMap((syntax) => {
    const marks = diagnostics.filter(({ code }) => marksOf[syntax].includes(code));
    // `A+` alone says little.
    const isSaid = marks.some(({ code, severity }) => code !== 'compel-weight' || severity !== 'info');
    return isSaid ? [{ syntax, because: marks[0] }] : [];
  });
  return found.length === 1 ? found[0] : null;
}

function lints(source: string, syntax: Syntax): Diagnostic[] {
  if (syntax === 'a1111') {
    const { comments, parts } = readA1111Prompt(source, { role: 'positive' });
    const written = parts.flatMap(({ schedule }) => {
      const text = everyBranch(schedule.nodes);
      const weighed = { text, ...parseA1111(text) };
      return [...weights(weighed, syntax), ...compelMarks(weighed, syntax), ...embeddings(text, syntax)];
    });
    return [...written, ...swallowedLines(comments, source), ...compelComposites(source, syntax)];
  }
  const text = sourceText(source);
  const weighed = { text, ...(syntax === 'compel' ? parseCompel(source) : parseComfy(source)) };
  const both = [...weights(weighed, syntax), ...a1111Comments(source, syntax), ...a1111Escapes(source, syntax)];
  return syntax === 'compel'
    ? [...both, ...embeddings(text, syntax), ...bareBrackets(source), ...breaks(source)]
    : [...both, ...compelMarks(weighed, syntax), ...compelComposites(source, syntax)];
}

function info(code: string, { start, end }: Range, message: string, fix?: Fix): Diagnostic {
  return { code, severity: 'info', start, end, message, ...(fix && { fix }) };
}

function warning(code: string, range: Range, message: string, fix?: Fix): Diagnostic {
  return { ...info(code, range, message, fix), severity: 'warning' };
}

function addition(at: number, insert: string): Edit {
  return { start: at, end: at, insert };
}

/** All that a prompt encodes at some step, one after the other: schedules without their marks. */
function everyBranch(nodes: readonly ScheduleNode[]): SourceText {
  const texts: SourceText[] = [];
  function add(nodes: readonly ScheduleNode[]): void {
    for (const node of nodes) {
      if (node.type === 'text') {
        texts.push(node);
        continue;
      }
      for (const branch of node.type === 'alternate' ? node.options : [node.before, node.after]) {
        texts.push(replacement(' ', { start: node.start, end: node.start }));
        add(branch);
      }
      texts.push(replacement(' ', { start: node.end, end: node.end }));
    }
  }
  add(nodes);
  const { text, starts, ends } = joinSources(texts);
  return { text, starts, ends };
}

/** A text as its program weighs it. */
interface Weighed {
  readonly text: SourceText;
  readonly nodes: readonly Node[];
  readonly fragments: readonly Fragment[];
}

/** Each weight with those around it: in its program, and multiplied as A1111 and Compel do. */
function eachWeight(
  nodes: readonly Node[],
  visit: (node: WeightedNode, around: number, product: number) => void,
  around = 1,
  product = 1,
): void {
  for (const node of nodes) {
    if (node.type === 'composite') for (const { children } of node.parts) eachWeight(children, visit, around, product);
    if (node.type !== 'weighted') continue;
    visit(node, around, product);
    const weight = node.effect === 'replace' ? node.value : around * node.value;
    eachWeight(node.children, visit, weight, product * node.value);
  }
}

/** Weights that cancel, that lie far off, that replace those around them; numbers that weigh nothing. */
function weights({ text, nodes, fragments }: Weighed, syntax: Syntax): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const readable = (value: number) => String(Number(value.toPrecision(4)));
  eachWeight(nodes, (node, around, product) => {
    if (node.effect === 'replace') {
      const multiplied = product * node.value;
      if (!Number.isFinite(multiplied) || Math.abs(multiplied - node.value) <= 1e-9) return;
      const message = `In ComfyUI this weighs ${readable(node.value)} whatever is around it, where A1111 would multiply to ${readable(multiplied)}: write that number if it is meant.`;
      diagnostics.push(info('nested-absolute-weight', node.number ?? node, message));
      return;
    }
    const cancels = around !== 1 && node.value !== 1 && Math.abs(around * node.value - 1) <= 1e-9;
    if (!cancels || !node.children.some(({ type }) => type === 'text')) return;
    const message = `The weights around this come to 1 (${readable(around)} × ${readable(node.value)}), so it weighs nothing: remove them, or change one.`;
    diagnostics.push(info('weights-cancel', node, message));
  });
  for (const { kind, text: words, weight, start, end } of fragments) {
    if (kind === 'break' || !Number.isFinite(weight) || words.trim() === '') continue;
    // A BREAK in brackets, of which the parser tells.
    if (weight < 0 && syntax === 'a1111' && words === 'BREAK') continue;
    if (weight < 0) {
      const message = `A weight of ${readable(weight)} turns this text into its opposite: write a weight from 0, or put the text into the negative prompt.`;
      diagnostics.push(info('far-weight', { start, end }, message));
    } else if (weight > farWeight) {
      const message = `This text weighs ${readable(weight)}, and beyond ${farWeight} little but noise comes of it: write a smaller weight such as 1.5.`;
      diagnostics.push(info('far-weight', { start, end }, message));
    }
  }
  const bare = /(?<=[\p{L}\p{N}_]):\s?\d{0,9}\.\d{1,9}(?=\s{0,9}(?:,|$)|\s{1,9}[^\s)\]])/gu;
  for (const { 0: typed, index } of text.text.matchAll(bare)) {
    const number = typed.slice(1).trim();
    const written = syntax === 'compel' ? `(…)${number}` : `(…:${number})`;
    const message = `A number after a colon weighs nothing by itself and is encoded as text: write ${written} around what it is for.`;
    diagnostics.push(info('number-outside-brackets', typedRange(text, index, index + typed.length)!, message));
  }
  return diagnostics;
}

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
/** Of a quotation: nothing that weighs in Compel or elsewhere. */
const isPlain = /^(?![+-])[\p{L}\p{M}\p{N} ,'’-]*[\p{L}\p{N}]$/u;

/** The value of Compel's signs or number. */
function compelValue(signs: string | undefined, number: string): number {
  return signs ? (signs[0] === '+' ? 1.1 : 0.9) ** signs.length : Number(number);
}

/** `x++`, `(x)1.2`, `"x".attend(1.2)`, `withLora(x)` in A1111 and ComfyUI. */
function compelMarks({ text: source, nodes, fragments }: Weighed, syntax: 'a1111' | 'comfy'): Diagnostic[] {
  const program = programs[syntax];
  const { text } = source;
  const diagnostics: Diagnostic[] = [];
  const brackets = new Map<number, { readonly node: WeightedNode; readonly around: number }>();
  const replacing: Range[] = [];
  eachWeight(nodes, (node, around) => {
    if (node.effect === 'replace') replacing.push(node);
    if (node.form === 'round' && node.open && node.close) brackets.set(node.close.start, { node, around });
  });
  const range = (from: number, to: number) => typedRange(source, from, to)!;
  // What was typed has no comment or tag in it.
  const isWhole = (from: number, to: number) => source.ends[to - 1] - source.starts[from] === to - from;
  /** What closes a bracket that weighs `value` times what is around it. */
  const closing = (value: number, around: number) =>
    value === 1.1 ? ')' : `:${decimal(syntax === 'comfy' ? around * value : value)})`;
  const waiting = syntax === 'comfy' ? outermost(markedGroups()) : [];

  /** Brackets whose mark is to become a number, which in ComfyUI leaves out those further in that have one already. */
  function markedGroups(): WeightedNode[] {
    return Array.from(text.matchAll(afterBracket), ({ index }) => brackets.get(source.starts[index])?.node)
      .concat(Array.from(text.matchAll(attend), ({ index }) => brackets.get(source.starts[index - 1])?.node))
      .filter((node) => node !== undefined);
  }
  const weightAt = (place: number) => weightOf(fragments, source.starts[place]);
  /** The brackets that end at unit `at`, and the mark that follows up to `to`. */
  function afterGroup(at: number, to: number, value: number): Fix | undefined {
    const found = brackets.get(source.starts[at]);
    if (!found || !isWhole(at, to) || found.node.children.length === 0) return undefined;
    const { node, around } = found;
    if (isInside(node.start, waiting) || beginsIn(node, replacing)) return undefined;
    const insert = closing(value, around);
    return fixWith(value === 1.1 ? 'Remove it' : `Write (…${insert}`, { ...range(at, to), insert });
  }
  /** Words from unit `from` to `to`, without quotes around them, and the mark that follows up to `end`. */
  function afterWords(from: number, to: number, end: number, value: number): Fix | undefined {
    const isQuoted = text[from] === '"';
    const words = isQuoted ? text.slice(from + 1, to - 1) : text.slice(from, to);
    if (!isWhole(from, end) || (isQuoted && !isPlain.test(words))) return undefined;
    if (isInside(source.starts[from], waiting)) return undefined;
    const insert = `(${words}${closing(value, weightAt(from))}`;
    return fixWith(`Write ${insert.length > 40 ? '(…)' : insert}`, { ...range(from, end), insert });
  }
  function tell(from: number, to: number, severity: 'info' | 'warning', fix: Fix | undefined): void {
    const typed = text.slice(from, to);
    const message = `“${typed}” is how Compel weighs: ${program} encodes it as text, so write (…:1.2) for a weight.`;
    diagnostics.push((severity === 'info' ? info : warning)('compel-weight', range(from, to), message, fix));
  }

  for (const { 0: typed, 1: signs, 2: number, index } of text.matchAll(afterBracket)) {
    const to = index + typed.length;
    if (!brackets.has(source.starts[index])) continue;
    const isSure = number === undefined || number.includes('.');
    tell(index + 1, to, isSure ? 'warning' : 'info', afterGroup(index, to, compelValue(signs, number)));
  }
  for (const { 0: typed, 1: quoted, 2: signs, 3: number, index } of text.matchAll(afterQuote)) {
    if (signs === undefined && number === undefined) continue;
    const [from, end] = [index + quoted.length + 2, index + typed.length];
    tell(from, end, 'warning', afterWords(index, from, end, compelValue(signs, number)));
  }
  for (const { 0: typed, 1: word, 2: signs, index } of text.matchAll(afterWord)) {
    // C++, 18+
    if (!/\p{L}.*\p{L}/u.test(word)) continue;
    const [from, to] = [index + word.length, index + typed.length];
    const fix = afterWords(index, from, to, compelValue(signs, ''));
    tell(from, to, signs.length > 1 ? 'warning' : 'info', fix);
  }
  for (const { 0: typed, 1: signs, 2: number, index } of text.matchAll(attend)) {
    const to = index + typed.length;
    const value = compelValue(signs, number);
    const before = text[index - 1];
    let fix: Fix | undefined;
    if (before === ')') fix = afterGroup(index - 1, to, value);
    else if (before === '"') {
      const from = text.lastIndexOf('"', index - 2);
      if (from >= 0) fix = afterWords(from, index, to, value);
    } else {
      const word = wordBefore.exec(text.slice(Math.max(0, index - 100), index))?.[0];
      if (word) fix = afterWords(index - word.length, index, to, value);
    }
    tell(index, to, 'warning', fix);
  }
  for (const { 0: typed, 1: name, 2: number, index } of text.matchAll(lora)) {
    const to = index + typed.length;
    const tag = `<lora:${name}:${number ?? '1'}>`;
    const advice = syntax === 'comfy' ? 'load it with a node' : `write ${tag}`;
    const message = `This is how Compel names a LoRA: ${program} encodes it as text and loads nothing, so ${advice}.`;
    const fix =
      syntax === 'a1111' && isWhole(index, to) && fixWith(`Write ${tag}`, { ...range(index, to), insert: tag });
    diagnostics.push(warning('compel-lora', range(index, to), message, fix || undefined));
  }
  return diagnostics;
}

function fixWith(label: string, ...edits: Edit[]): Fix {
  return { label, edits };
}

/** How many of `ranges`, which are by their beginnings, begin before `place`. */
function countBefore(ranges: readonly Range[], place: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle].start < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function weightOf(fragments: readonly Fragment[], place: number): number {
  return fragments[Math.max(0, countBefore(fragments, place + 1) - 1)]?.weight ?? 1;
}

function beginsIn(outer: Range, ranges: readonly Range[]): boolean {
  return (ranges[countBefore(ranges, outer.start)]?.start ?? outer.end) < outer.end;
}

/** Of ranges that lie in or beside each other those that lie in no other, by their beginnings. */
function outermost<T extends Range>(ranges: readonly T[]): T[] {
  let end = 0;
  return ranges
    .toSorted((a, b) => a.start - b.start)
    .filter((range) => {
      if (range.start < end) return false;
      end = range.end;
      return true;
    });
}

/** Whether `place` is in one of `ranges`, which do not overlap, and not where it begins. */
function isInside(place: number, ranges: readonly Range[]): boolean {
  const around = ranges[countBefore(ranges, place) - 1];
  return around !== undefined && place < around.end;
}

/** `(…).and()`, `(…).blend()`, `x.swap(y)` in A1111 and ComfyUI. */
function compelComposites(source: string, syntax: 'a1111' | 'comfy'): Diagnostic[] {
  const found = Array.from(source.matchAll(/(?<=\))\s{0,9}\.(?:and|add|blend)\(|(?<=[\p{L}\p{N})"])\.swap\(/gu));
  const isSwap = (typed: string) => typed.includes('swap');
  const and = syntax === 'a1111' && found.some(({ 0: typed }) => /and|add/.test(typed)) ? joinedByBreak(source) : null;
  return found.map(({ 0: typed, index }) => {
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
    const fix = /and|add/.test(name) ? (and ?? undefined) : undefined;
    return warning('compel-operator', { start, end }, message, fix);
  });
}

/** `("a", "b").and()`, if nothing else is typed and no part weighs, for A1111. */
function joinedByBreak(source: string): Fix | null {
  const { nodes, parts, diagnostics } = parseCompel(source);
  const [node] = nodes;
  const isJoin = nodes.length === 1 && node.type === 'composite' && node.operator === 'and';
  if (!isJoin || diagnostics.some(({ severity }) => severity !== 'info')) return null;
  if (source.slice(0, node.start).trim() !== '' || source.slice(node.end).trim() !== '') return null;
  const rows = parts.map(({ content, weight }) =>
    content.kind === 'prompt' && weight === 1 && content.items.every(({ kind }) => kind === 'text') ? content : null,
  );
  const pieces = rows.flatMap((row, i) => [
    ...(i === 0 ? [] : [{ kind: 'break' as const, text: 'BREAK', weight: -1 }]),
    ...(row?.fragments ?? []).flatMap((fragment, j) => [
      ...(j === 0 ? [] : [{ kind: 'text' as const, text: ' ', weight: 1 }]),
      fragment,
    ]),
  ]);
  const isSayable =
    rows.every((row) => row !== null) && pieces.every(({ kind, text }) => kind === 'break' || !/#/.test(text));
  if (!isSayable) return null;
  return fixWith('Write BREAK between the parts', {
    start: node.start,
    end: node.end,
    insert: printPrompt(pieces, 'a1111').trim(),
  });
}

/** ComfyUI's `embedding:name` in A1111 and Compel. */
function embeddings(source: SourceText, syntax: 'a1111' | 'compel'): Diagnostic[] {
  const named = /(?<=^|[\s,(])embedding:([\p{L}\p{N}_-](?:[\p{L}\p{N}_.-]{0,200}[\p{L}\p{N}_-])?)/gu;
  return Array.from(source.text.matchAll(named), ({ 0: typed, 1: file, index }) => {
    const range = typedRange(source, index, index + typed.length)!;
    if (syntax === 'compel') {
      const message =
        '“embedding:” is of ComfyUI and encoded as text by Compel: write the token alone that the embedding was loaded as.';
      return info('comfy-embedding', range, message);
    }
    const name = file.replace(/\.(?:pt|bin|safetensors)$/, '');
    const message = `“embedding:” is of ComfyUI and encoded as text by A1111, which finds an embedding by its name: write “${name}” alone.`;
    const isWhole = range.end - range.start === typed.length;
    const fix = fixWith(`Write ${name}`, { ...range, insert: name });
    return warning('comfy-embedding', range, message, isWhole ? fix : undefined);
  });
}

/** Lines that begin with a `#` that may be no comment: `#1`, `#sunset`. */
function swallowedLines(comments: readonly CommentNode[], source: string): Diagnostic[] {
  return comments.flatMap(({ start, end }) => {
    const isLine = /^\s*$/.test(source.slice(source.lastIndexOf('\n', start - 1) + 1, start)) || start === 0;
    if (!isLine || !/^#[\p{L}\p{N}]/u.test(source.slice(start, start + 3))) return [];
    const message = 'A line that begins with “#” is a comment and not encoded: remove the “#” to keep the text.';
    const fix = fixWith('Remove the “#”', { start, end: start + 1, insert: '' });
    return [info('comment-line', { start, end }, message, fix)];
  });
}

/** `# …` on a line of its own, in Compel and ComfyUI. */
function a1111Comments(source: string, syntax: Syntax): Diagnostic[] {
  return Array.from(source.matchAll(/(?<=^|\n)#[ \t#][^\n]*\n?/g), ({ 0: line, index }) => {
    const range = { start: index, end: index + line.trimEnd().length };
    const message = `A line that begins with “#” is a comment in A1111 only and ${programs[syntax]} encodes it: remove it.`;
    const fix = fixWith('Remove the line', { start: index, end: index + line.length, insert: '' });
    return info('a1111-comment', range, message, fix);
  });
}

/** `\[` in Compel and ComfyUI. */
function a1111Escapes(source: string, syntax: Syntax): Diagnostic[] {
  return Array.from(source.matchAll(/(?<!\\)\\([[\]])/g), ({ 1: bracket, index }) => {
    const message = `${programs[syntax]} encodes this backslash too, as square brackets mean nothing to it: remove it.`;
    const fix = fixWith(`Write ${bracket}`, { start: index, end: index + 1, insert: '' });
    return info('a1111-escape', { start: index, end: index + 2 }, message, fix);
  });
}

/** `(x)`, which weighs 1.1 everywhere else, in Compel. */
function bareBrackets(source: string): Diagnostic[] {
  const { content, loras } = readCompel(spaceAfterCommas(sourceText(source)));
  const groups: Group[] = [];
  const open: (readonly Item[])[] = [loras];
  const inside = (item: Item) => {
    if (item.type === 'group') open.push(item.children);
    else if (item.type === 'weighted') inside(item.target);
    else if (item.type === 'swap') {
      inside(item.target);
      open.push(item.edited);
    }
  };
  // The brackets of a part are no weight anywhere.
  if ('parts' in content) for (const { items } of content.parts) items.forEach(inside);
  else open.push(content);
  for (let items = open.pop(); items; items = open.pop()) {
    for (const item of items) {
      inside(item);
      if (item.type === 'group' && !item.empty && source[item.open.start] === '(') groups.push(item);
    }
  }
  return groups.flatMap(({ open, close, start, end }) => {
    // Numbers in or after them, of which the parser tells.
    if (/:\s*[+-]?[.\d]+\s*$/.test(source.slice(Math.max(open.end, close.start - 40), close.start))) return [];
    if (/^\s+(?:[+-]+|\d*\.\d+)[,;:!?]?(?=\s|$)/.test(source.slice(end, end + 40))) return [];
    const message =
      'Brackets alone weigh nothing in Compel, where A1111 and ComfyUI weigh them 1.1: write (…)+ for that.';
    const isApart = /^[\s,.)]?$/.test(source[end] ?? '');
    return [
      info(
        'brackets-weigh-nothing',
        { start, end },
        message,
        isApart ? fixWith('Write (…)+', addition(end, '+')) : undefined,
      ),
    ];
  });
}

/** A1111's BREAK as Compel says it, where the parts between are read the same. */
function breaks(source: string): Diagnostic[] {
  const words = Array.from(source.matchAll(/(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/gu), ({ index }) => index);
  // What has no place in quotes, and what A1111 reads otherwise.
  if (words.length === 0 || /["\n\r\\[\]<]|(?<![\p{L}\p{N}_])AND(?![\p{L}\p{N}_])/u.test(source)) return [];
  const typed = [0, ...words.map((at) => at + 'BREAK'.length)].map((start, i) =>
    source.slice(start, words[i] ?? source.length),
  );
  if (typed.some((part) => part.trim() === '' || !isBalanced(part))) return [];
  const { parts } = parseCompel(`("${typed.join('", "')}").and()`);
  // In quotes a comma is a word by itself, which is nothing to the tokenizer.
  const said = (fragments: readonly Fragment[]) =>
    JSON.stringify(fragments.map(({ text, weight }) => [text.match(/\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu), weight]));
  const isSame = (part: string, i: number) => {
    const content = parts[i]?.content;
    return content?.kind === 'prompt' && said(content.fragments) === said(parseCompel(part).fragments);
  };
  if (parts.length !== typed.length || !typed.every(isSame)) return [];
  const range = { start: words[0], end: words[0] + 'BREAK'.length };
  const message =
    'Compel starts a new chunk for each part of (…).and(), as A1111 does at BREAK: write ("…", "…").and().';
  const fix = fixWith(
    'Write (…).and()',
    addition(0, '("'),
    ...words.map((at) => ({ start: at, end: at + 'BREAK'.length, insert: '", "' })),
    addition(source.length, '").and()'),
  );
  return [info('and-for-break', range, message, fix)];
}

function isBalanced(text: string): boolean {
  let depth = 0;
  for (const [bracket] of text.matchAll(/[()]/g)) {
    depth += bracket === '(' ? 1 : -1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
