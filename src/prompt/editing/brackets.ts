import type { Node, ParsedPrompt, Range, WeightedNode } from '../ast.ts';
import { countBefore, isWithin } from '../sourceText.ts';

/** `[a:b:0.5]` or `[a|b]`: A1111 schedules these, and only what is left of them reaches its attention syntax. */
export function isSchedule({ form, children }: WeightedNode): boolean {
  return form === 'square' && children.some((node) => node.type === 'text' && /[:|]/.test(node.text));
}

/** Nodes, and where they and the marks between them stand. */
export interface Section {
  readonly nodes: readonly Node[];
  readonly range: Range;
  /** Whether its commas are a schedule's, and separate nothing. */
  readonly isScheduled?: boolean;
}

/** The inside of a pair of brackets, or the parts of a composite; none for other nodes. */
export function sectionsOf(node: Node): Section[] {
  if (node.type === 'composite') return node.parts.map(({ children, range }) => ({ nodes: children, range }));
  if (node.type !== 'weighted') return [];
  const range = { start: node.open?.end ?? node.start, end: node.close?.start ?? node.end };
  return [{ nodes: node.children, range, isScheduled: isSchedule(node) }];
}

/** Brackets or quotes, marks included, and what is in them. */
export interface Enclosed extends Range {
  readonly content: Range;
}

/** Takes spaces and ComfyUI's comments from both ends of a range; what is left may be empty. */
export function trimmed({ source, page }: ParsedPrompt, range: Range): Range {
  let { start, end } = range;
  for (let before = -1; before !== end - start; ) {
    before = end - start;
    const text = source.slice(start, end);
    start += text.length - text.trimStart().length;
    end = Math.max(start, start + text.trim().length);
    if (!page) break;
    const first = page.comments[countBefore(page.comments, start)];
    if (first?.start === start && first.end <= end) start = first.end;
    const last = page.comments[countBefore(page.comments, end) - 1];
    if (last?.end === end && start <= last.start) end = last.start;
  }
  return { start, end };
}

/** Gives ComfyUI's choices, each with its option that is read, and Compel's brackets and quotes without a weight. */
export function enclosedIn({ source, page }: ParsedPrompt, section: Section): Enclosed[] {
  if (!page) return plainBrackets(source, section);
  const found: Enclosed[] = [];
  for (const { start, end, options, chosen } of page.choices)
    if (isWithin({ start, end }, section.range)) found.push({ start, end, content: options[chosen] });
  return found;
}

/** Compel's brackets and quotes that weigh nothing, so that no node holds their marks: those of one section, outermost first. */
function plainBrackets(source: string, { nodes, range: { start, end } }: Section): Enclosed[] {
  const sorted = nodes.toSorted((a, b) => a.start - b.start);
  let [next, typedUpTo] = [0, 0];
  const isTyped = (at: number) => {
    for (; next < sorted.length && sorted[next].start <= at; next++) typedUpTo = Math.max(typedUpTo, sorted[next].end);
    return at < typedUpTo;
  };
  const open: number[] = [];
  const found: Enclosed[] = [];
  for (const { 0: mark, index } of source.slice(start, end).matchAll(/[()"]/g)) {
    const at = start + index;
    if (isTyped(at)) continue;
    const isOpening = mark === '(' || (mark === '"' && source[open.at(-1) ?? -1] !== '"');
    const from = isOpening ? undefined : open.pop();
    if (isOpening) open.push(at);
    else if (from !== undefined) found.push({ start: from, end: at + 1, content: { start: from + 1, end: at } });
  }
  return found.sort((a, b) => a.start - b.start);
}
