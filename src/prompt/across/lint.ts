/**
 * The linter: it says what someone used to another program probably meant, and which weights are likely a slip. It takes
 * what the road has read already and says only what the parser does not say. A fix means in the prompt's language what the
 * mark means in the other program. Nothing here throws.
 */
import type { A1111Prompt, SteppedPrompt } from '../a1111/a1111Prompt.ts';
import type { CommentNode, Diagnostic, ParsedPrompt, SourceText } from '../ast.ts';
import type { ParsedCompel } from '../compel/compelPrompt.ts';
import { byPlace, DistinctDiagnostics, fixWith, info, warning } from '../diagnostics.ts';
import { placesOf, typedRange } from '../sourceText.ts';
import { programs, type Syntax } from '../syntax.ts';
import { compelComposites, compelMarks } from './compelMarks.ts';
import { mixedDialects } from './mixedDialects.ts';
import { silentMarks } from './silentMarks.ts';
import { eachWeight, type WeighedText } from './weighedText.ts';
import { bareBrackets, breaks } from './weightless.ts';

/** Larger weights are reported. */
const farWeight = 3;

/** Lints each distinct text that some step of the prompt encodes; what several of them share is said once. */
export function lintA1111(
  { source, role, comments }: A1111Prompt,
  { parts, diagnostics: parsed }: SteppedPrompt,
): Diagnostic[] {
  const distinct = new DistinctDiagnostics();
  const texts = distinctTexts(parts);
  for (const weighed of texts) {
    const { text } = weighed;
    const diagnostics = [
      ...weights(weighed, 'a1111'),
      ...compelMarks(weighed, 'a1111').map((mark) => (role === 'negative' ? withoutLoras(mark) : mark)),
      ...namedEmbeddings(text, 'a1111'),
      ...silentMarks(weighed, 'a1111'),
    ];
    for (const diagnostic of diagnostics) distinct.add(diagnostic);
  }
  const all = [...distinct.all, ...swallowedLines(comments, source), ...compelComposites(source, 'a1111')];
  return [...all, ...mixedDialects(source, texts, [parsed, all], 'a1111')].sort(byPlace);
}

/** Offers no tag of A1111's for a LoRA where A1111 reads none. */
function withoutLoras(diagnostic: Diagnostic): Diagnostic {
  if (diagnostic.code !== 'compel-lora') return diagnostic;
  const { fix, ...rest } = diagnostic;
  const message =
    'This is how Compel names a LoRA: A1111 takes LoRAs from the positive prompt alone, and encodes this as text, so take it out.';
  return { ...rest, message };
}

export function lintCompel(parsed: ParsedCompel): Diagnostic[] {
  const { source } = parsed;
  const text = placesOf(source);
  const all = [
    ...weights({ ...parsed, text }, 'compel'),
    ...a1111Comments(source, 'compel'),
    ...a1111Escapes(source, 'compel'),
    ...namedEmbeddings(text, 'compel'),
    ...bareBrackets(parsed),
    ...breaks(parsed),
    ...silentMarks({ ...parsed, text }, 'compel'),
  ];
  return withMixed(parsed, all, 'compel');
}

/** Lints a text of ComfyUI: one that its page has read already, or one for its API, as it was typed. */
export function lintComfy(parsed: ParsedPrompt, isPageText: boolean): Diagnostic[] {
  const { source } = parsed;
  const weighed = { ...parsed, text: placesOf(source) };
  const all = [
    ...weights(weighed, 'comfy'),
    ...a1111Comments(source, 'comfy'),
    ...a1111Escapes(source, 'comfy'),
    ...compelMarks(weighed, 'comfy'),
    ...compelComposites(source, 'comfy'),
    ...silentMarks(weighed, 'comfy', isPageText),
  ];
  return withMixed(parsed, all, 'comfy');
}

function withMixed(parsed: ParsedPrompt, all: readonly Diagnostic[], syntax: Syntax) {
  return [...all, ...mixedDialects(parsed.source, [parsed], [parsed.diagnostics, all], syntax)].sort(byPlace);
}

function distinctTexts(parts: SteppedPrompt['parts']): WeighedText[] {
  const steps = new Map(parts.flatMap((part) => part.steps.map(({ parsed, text }) => [parsed, text] as const)));
  return Array.from(steps, ([{ nodes, fragments }, text]) => ({ text, nodes, fragments }));
}

/** Finds weights that cancel, are extreme or replace those around them, and numbers that weigh nothing. */
function weights({ text, nodes, fragments }: WeighedText, syntax: Syntax): Diagnostic[] {
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
    // The parser reports a BREAK in brackets.
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

/** Finds ComfyUI's `embedding:name` in A1111 and Compel. */
function namedEmbeddings(source: SourceText, syntax: 'a1111' | 'compel'): Diagnostic[] {
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

/** Finds lines whose leading `#` may not be meant as a comment: `#1`, `#sunset`. */
function swallowedLines(comments: readonly CommentNode[], source: string): Diagnostic[] {
  return comments.flatMap(({ start, end }) => {
    const isLine = /^\s*$/.test(source.slice(source.lastIndexOf('\n', start - 1) + 1, start)) || start === 0;
    if (!isLine || !/^#[\p{L}\p{N}]/u.test(source.slice(start, start + 3))) return [];
    const message = 'A line that begins with “#” is a comment and not encoded: remove the “#” to keep the text.';
    const fix = fixWith('Remove the “#”', { start, end: start + 1, insert: '' });
    return [info('comment-line', { start, end }, message, fix)];
  });
}

/** Finds A1111's `# …` on a line of its own in Compel and ComfyUI. */
function a1111Comments(source: string, syntax: 'compel' | 'comfy'): Diagnostic[] {
  return Array.from(source.matchAll(/(?<=^|\n)#[ \t#][^\n]*\n?/g), ({ 0: line, index }) => {
    const range = { start: index, end: index + line.trimEnd().length };
    const message = `A line that begins with “#” is a comment in A1111 only and ${programs[syntax]} encodes it: remove it.`;
    const fix = fixWith('Remove the line', { start: index, end: index + line.length, insert: '' });
    return info('a1111-comment', range, message, fix);
  });
}

/** Finds A1111's `\[` in Compel and ComfyUI. */
function a1111Escapes(source: string, syntax: 'compel' | 'comfy'): Diagnostic[] {
  return Array.from(source.matchAll(/(?<!\\)\\([[\]])/g), ({ 1: bracket, index }) => {
    const message = `${programs[syntax]} encodes this backslash too, as square brackets mean nothing to it: remove it.`;
    const fix = fixWith(`Write ${bracket}`, { start: index, end: index + 1, insert: '' });
    return info('a1111-escape', { start: index, end: index + 2 }, message, fix);
  });
}
