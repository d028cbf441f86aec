import type { Node, ParsedPrompt, Range } from './ast.ts';
import { holdsLooseBracket, isSchedule } from './brackets.ts';
import type { Change } from './edits.ts';
import type { Syntax } from './syntax.ts';

/**
 * Swaps the comma-separated items that are selected, or the one the caret is in, with the one before (−1) or after (1).
 * Brackets stay whole: inside ones that hold several items, those move; else the item around moves. Commas, spaces and
 * BREAKs stay where they are. Null at the ends.
 */
export function moveItem(parsed: ParsedPrompt, selection: Range, direction: -1 | 1, _syntax: Syntax): Change | null {
  return swapItems(parsed, level(parsed, selection), selection, direction);
}

/** The items of the innermost brackets around the selection that hold more than one; or those of the whole prompt. */
function level({ source, nodes }: ParsedPrompt, selection: Range): Item[] {
  let found = itemsOf(source, nodes, { start: 0, end: source.length });
  let children: readonly Node[] | undefined = nodes;
  while (children) {
    const around: Node | undefined = children.find(
      (node) => node.type === 'weighted' && contentOf(node, selection) !== null,
    );
    if (around?.type !== 'weighted') break;
    children = around.children;
    const items = isSchedule(around) ? [] : itemsOf(source, children, contentOf(around, selection)!);
    if (items.length > 1) found = items;
  }
  return found;
}

/** What is inside brackets; null where the selection is not. */
function contentOf(node: Node, selection: Range): Range | null {
  if (node.type !== 'weighted') return null;
  const content = { start: node.open?.end ?? node.start, end: node.close?.start ?? node.end };
  return content.start <= selection.start && selection.end <= content.end ? content : null;
}

/** What stands between two commas or BREAKs of one level: with and without the spaces around. */
interface Item {
  readonly whole: Range;
  readonly text: Range;
}

function itemsOf(source: string, nodes: readonly Node[], { start, end }: Range): Item[] {
  const isApart = (at: number) => at < start || at >= end || /[\s,]/.test(source[at]);
  const separators = nodes.flatMap((node): Range[] => {
    if (node.type === 'break') return isApart(node.start - 1) && isApart(node.end) ? [node] : [];
    if (node.type !== 'text') return [];
    return Array.from(node.text.matchAll(/,/g), ({ index }) => ({ start: node.starts[index], end: node.ends[index] }));
  });
  const items: Item[] = [];
  let from = start;
  for (const separator of [...separators, { start: end, end }]) {
    const typed = source.slice(from, separator.start);
    const text = { start: from + typed.length - typed.trimStart().length, end: from + typed.trimEnd().length };
    if (text.start < text.end) items.push({ whole: { start: from, end: separator.start }, text });
    from = separator.end;
  }
  return items;
}

function swapItems(
  { source, nodes }: ParsedPrompt,
  items: readonly Item[],
  selection: Range,
  direction: -1 | 1,
): Change | null {
  const first = items.findIndex(({ whole }) => selection.start <= whole.end);
  const last = items.findLastIndex(({ whole }) => whole.start <= selection.end);
  const neighbour = items[direction < 0 ? first - 1 : last + 1]?.text;
  if (first < 0 || last < first || !neighbour) return null;
  const moved = { start: items[first].text.start, end: items[last].text.end };
  const [left, right] = direction < 0 ? [neighbour, moved] : [moved, neighbour];
  if (holdsLooseBracket(source, nodes, { start: left.start, end: right.end })) return null;
  const text = ({ start, end }: Range) => source.slice(start, end);
  // What follows it elsewhere, it would escape.
  if ([left, right].some((range) => /(?<!\\)(\\\\)*\\$/.test(text(range)))) return null;
  const shift = direction < 0 ? left.start - moved.start : right.end - moved.end;
  const follow = (at: number) => Math.min(Math.max(at, moved.start), moved.end) + shift;
  return {
    edits: [
      { ...left, insert: text(right) },
      { ...right, insert: text(left) },
    ],
    selection: { start: follow(selection.start), end: follow(selection.end) },
  };
}
