import { promptShape } from '../a1111/promptShape.ts';
import type { ParsedPrompt, Range } from '../ast.ts';
import { type Chooser, sameChooser } from '../comfy/dynamicPrompt.ts';
import { applyEdits, type Change } from '../edits.ts';
import { parsePrompt } from '../parsePrompt.ts';
import { isWithin, isWithinAny, outermost } from '../sourceText.ts';
import type { Syntax } from '../syntax.ts';
import { enclosedIn, type Section, sectionsOf, trimmed } from './brackets.ts';
import {
  areWeighed,
  asideOf,
  isOutline,
  type Mark,
  outline,
  sameAside,
  sameWeight,
  weightedMarks,
} from './encodedText.ts';

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
  const edited = applyEdits(source, edits);
  if (!isMeant(parsed, left, right, (chooser) => parsePrompt(edited, syntax, chooser))) return null;
  if (syntax === 'a1111' && promptShape(source, true) !== promptShape(edited, true)) return null;
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
  if (!isOutline(after.nodes, moved(outline(before.nodes)))) return false;
  const marks = moved(weightedMarks(before.fragments));
  return areWeighed(after.fragments, marks, ({ weight }, now) => sameWeight(weight, now));
}

/** The items of the innermost brackets around the selection that hold more than one; or those of the whole prompt. */
function innermostItems(parsed: ParsedPrompt, selection: Range): Item[] {
  let around = innermostSection(parsed, selection);
  for (let inside: Section | undefined; around.outer; inside = around, around = around.outer) {
    if (!mayPart(parsed.source, around, inside)) continue;
    const items = itemsOf(parsed, around);
    if (items.length > 1) return items;
  }
  return itemsOf(parsed, around);
}

/** A section, and the one around it; none is around the whole prompt. */
interface NestedSection extends Section {
  readonly outer: NestedSection | null;
}

function innermostSection(parsed: ParsedPrompt, selection: Range): NestedSection {
  const { source, nodes, page } = parsed;
  let innermost: NestedSection = { nodes, range: { start: 0, end: source.length }, outer: null };
  for (;;) {
    const section = innermost;
    for (const { content } of enclosedIn(parsed, section))
      if (isWithin(selection, content)) innermost = { nodes: section.nodes, range: content, outer: innermost };
    const { range } = innermost;
    // A text that an option is part of reaches beyond it.
    const inside = (page ? section.nodes : section.nodes.filter((node) => isWithin(node, range)))
      .flatMap(sectionsOf)
      .find((inner) => isWithin(selection, inner.range));
    if (!inside) return innermost;
    innermost = { ...inside, outer: innermost };
  }
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
  const isApart = (at: number) => at < start || at >= end || /[\s,]/.test(source[at]);
  const separators = nodes.flatMap((node): Range[] => {
    if (node.type === 'break') return isApart(node.start - 1) && isApart(node.end) ? [node] : [];
    if (node.type !== 'text') return [];
    return Array.from(node.text.matchAll(/,/g), ({ index }) => ({ start: node.starts[index], end: node.ends[index] }));
  });
  const enclosed = separators.length > 0 ? outermost(enclosedIn(parsed, { ...section, nodes })) : [];
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
