import type { Node, ParsedPrompt, Range } from '../ast.ts';
import { type Chooser, sameChooser } from '../comfy/dynamicPrompt.ts';
import { applyEdits, type Change } from '../edits.ts';
import { parsePrompt } from '../parsePrompt.ts';
import { isWithin, isWithinAny, outermost } from '../sourceText.ts';
import type { Syntax } from '../syntax.ts';
import { enclosedIn, type Section, sectionsOf, trimmed } from './brackets.ts';
import { asideOf, type Mark, outline, sameAside, sameMarks, sameWeight, weightedMarks } from './encodedText.ts';

/**
 * Swaps the comma-separated items that are selected, or the one the caret is in, with the one before (−1) or after (1).
 * Brackets stay whole: inside ones that hold several items, those move; else the item around moves. Commas, spaces and
 * BREAKs stay where they are. `parsed` is of the prompt itself, as `parsePrompt` reads it. Null at the ends, or where the
 * result would be read otherwise than meant.
 */
export function moveItem(parsed: ParsedPrompt, selection: Range, direction: -1 | 1, syntax: Syntax): Change | null {
  const { source } = parsed;
  const items = innermostItems(parsed, selection);
  const first = items.findIndex(({ whole }) => selection.start <= whole.end);
  const last = items.findLastIndex(({ whole }) => whole.start <= selection.end);
  const neighbour = items[direction < 0 ? first - 1 : last + 1]?.text;
  if (first < 0 || last < first || !neighbour) return null;
  const moved = { start: items[first].text.start, end: items[last].text.end };
  const [left, right] = direction < 0 ? [neighbour, moved] : [moved, neighbour];
  const edits = [
    { ...left, insert: source.slice(right.start, right.end) },
    { ...right, insert: source.slice(left.start, left.end) },
  ];
  if (!isMeant(parsed, left, right, (chooser) => parsePrompt(applyEdits(source, edits), syntax, chooser))) return null;
  const shift = direction < 0 ? left.start - moved.start : right.end - moved.end;
  const follow = (at: number) => Math.min(Math.max(at, moved.start), moved.end) + shift;
  return { edits, selection: { start: follow(selection.start), end: follow(selection.end) } };
}

/**
 * Tells whether the prompt holds all its marks after the move, in the new order, each with its weight. `reread` reads it then;
 * ComfyUI's choices move along.
 */
function isMeant(
  before: ParsedPrompt,
  left: Range,
  right: Range,
  reread: (chooser: Chooser | undefined) => ParsedPrompt,
): boolean {
  const movedTo = (at: number) => {
    if (left.start <= at && at < left.end) return at + right.end - left.end;
    if (right.start <= at && at < right.end) return at + left.start - right.start;
    const isBetween = left.end <= at && at < right.start;
    return isBetween ? at + (right.end - right.start) - (left.end - left.start) : at;
  };
  const moved = <T extends Mark>(marks: readonly T[]) => marks.toSorted((a, b) => movedTo(a.at) - movedTo(b.at));
  const choices = before.page?.choices.toSorted((a, b) => movedTo(a.start) - movedTo(b.start));
  const after = reread(choices && sameChooser(choices));
  if (!sameAside(asideOf(before), asideOf(after))) return false;
  if (!sameMarks(moved(outline(before.nodes)), outline(after.nodes))) return false;
  const marks = moved(weightedMarks(before.fragments));
  const now = weightedMarks(after.fragments);
  return sameMarks(marks, now) && marks.every(({ weight }, i) => sameWeight(weight, now[i].weight));
}

/** The items of the innermost brackets around the selection that hold more than one; or those of the whole prompt. */
function innermostItems(parsed: ParsedPrompt, selection: Range): Item[] {
  const around = sectionsAround(parsed, selection);
  for (let i = around.length - 1; i > 0; i--) {
    if (!mayPart(parsed.source, around[i], around[i + 1])) continue;
    const items = itemsOf(parsed, around[i]);
    if (items.length > 1) return items;
  }
  return itemsOf(parsed, around[0]);
}

/** The whole prompt and the sections around the selection, one in the other. */
function sectionsAround(parsed: ParsedPrompt, selection: Range): Section[] {
  const { source, nodes, page } = parsed;
  const around: Section[] = [];
  let section: Section | undefined = { nodes, range: { start: 0, end: source.length } };
  while (section) {
    around.push(section);
    const all: readonly Node[] = section.nodes;
    for (const { content } of enclosedIn(parsed, section))
      if (isWithin(selection, content)) around.push({ nodes: all, range: content });
    const { range } = around[around.length - 1];
    // A text that an option is part of reaches beyond it.
    section = (page ? all : all.filter((node) => isWithin(node, range)))
      .flatMap(sectionsOf)
      .find((inside) => isWithin(selection, inside.range));
  }
  return around;
}

/** Whether something may part a section outside of the one in it: without that there is one item, and no need to look. */
function mayPart(source: string, { range }: Section, inside: Section | undefined): boolean {
  if (!inside || !isWithin(inside.range, range)) return true;
  const around = [source.slice(range.start, inside.range.start), source.slice(inside.range.end, range.end)];
  return around.some((text) => /,|BREAK/.test(text));
}

/** The stretch between two commas or BREAKs of one level, with and without the spaces and comments around it. */
interface Item {
  readonly whole: Range;
  readonly text: Range;
}

function itemsOf(parsed: ParsedPrompt, section: Section): Item[] {
  const { source } = parsed;
  const { start, end } = section.range;
  if (section.isScheduled) return [];
  const nodes = parsed.page ? section.nodes : section.nodes.filter((node) => isWithin(node, section.range));
  const enclosed = outermost(enclosedIn(parsed, { ...section, nodes }));
  const isApart = (at: number) => at < start || at >= end || /[\s,]/.test(source[at]);
  const separators = nodes.flatMap((node): Range[] => {
    if (node.type === 'break') return isApart(node.start - 1) && isApart(node.end) ? [node] : [];
    if (node.type !== 'text') return [];
    return Array.from(node.text.matchAll(/,/g), ({ index }) => ({ start: node.starts[index], end: node.ends[index] }));
  });
  const isSeparator = (at: Range) => isWithin(at, section.range) && !isWithinAny(at, enclosed);
  const items: Item[] = [];
  let from = start;
  for (const separator of [...separators.filter(isSeparator), { start: end, end }]) {
    const whole = { start: from, end: separator.start };
    const text = trimmed(parsed, whole);
    if (text.start < text.end) items.push({ whole, text });
    from = separator.end;
  }
  return items;
}
