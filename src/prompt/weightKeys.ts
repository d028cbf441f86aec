import type { Edit, Node, ParsedPrompt, Range } from './ast.ts';
import { holdsLooseBracket, isSchedule } from './brackets.ts';
import type { Change } from './edits.ts';
import type { Syntax } from './syntax.ts';

/**
 * Changes the weight of what is selected, or of what the caret is in (the innermost brackets, else the word), by `step`:
 * writes brackets where there are none, and removes them at 1. Null where there is nothing to weigh, or where brackets
 * would catch others that are not closed.
 */
export function changeWeight(parsed: ParsedPrompt, selection: Range, step: number, syntax: Syntax): Change | null {
  switch (syntax) {
    case 'a1111':
      return changeA1111(parsed, selection, step);
    default:
      return null;
  }
}

/** Brackets that open and close. */
interface Group extends Range {
  readonly open: Range;
  readonly close: Range;
  readonly number: Range | null;
  readonly value: number;
  readonly isSquare: boolean;
  /** False for `[a:b:0.5]` and `[a|b]`, which schedule. */
  readonly weighs: boolean;
  readonly parent: Group | null;
}

interface Weighing {
  /** What is weighed, without its brackets. */
  readonly content: Range;
  readonly edits: readonly Edit[];
}

function changeA1111(parsed: ParsedPrompt, selection: Range, step: number): Change | null {
  const { source, nodes } = parsed;
  const network = changeNetwork(source, selection, step);
  if (network) return network;
  const groups = closedGroups(nodes);
  const weighings: (Weighing | null)[] = [];
  if (selection.start === selection.end) {
    const group = groupAt(groups, selection.start);
    const word = group ? null : wordAt(source, selection.start);
    if (group) weighings.push(weighGroup(parsed, groups, group, step));
    else if (word) weighings.push(wrap(source, nodes, word, step));
  } else {
    const range = balanced(trimmed(source, selection), [...groups, ...escapes(source)]);
    const whole = groupOf(groups, range);
    if (whole) weighings.push(weighGroup(parsed, groups, whole, step));
    else
      for (const part of betweenBreaks(source, nodes, range)) {
        const group = groupOf(groups, part);
        weighings.push(group ? weighGroup(parsed, groups, group, step) : wrap(source, nodes, part, step));
      }
  }
  if (weighings.length === 0 || !weighings.every((weighing) => weighing !== null)) return null;
  return { edits: weighings.flatMap(({ edits }) => edits), selection: selectionAfter(selection, weighings) };
}

/** `<lora:name:0.8>`: the number at the end. It stays at 1. */
function changeNetwork(source: string, { start, end }: Range, step: number): Change | null {
  for (const match of source.matchAll(/<\w+:[^<>]*:([+-]?(?:\d+\.?\d*|\.\d+))>/g)) {
    const tagEnd = match.index + match[0].length;
    if (!(match.index < end && start < tagEnd) && !(start === end && match.index <= start && start <= tagEnd)) continue;
    if (start < match.index || end > tagEnd) return null;
    const number = { start: tagEnd - 1 - match[1].length, end: tagEnd - 1 };
    const edits = [{ ...number, insert: String(stepped(Number(match[1]), step, true)) }];
    return { edits, selection: { start: caretAfter(start, edits).start, end: caretAfter(end, edits).end } };
  }
  return null;
}

function closedGroups(nodes: readonly Node[], parent: Group | null = null, found: Group[] = []): Group[] {
  for (const node of nodes) {
    if (node.type !== 'weighted') continue;
    const { open, close, start, end, number, value, form, children } = node;
    const group =
      open && close
        ? { start, end, open, close, number, value, parent, isSquare: form === 'square', weighs: !isSchedule(node) }
        : null;
    if (group) found.push(group);
    closedGroups(children, group ?? parent, found);
  }
  return found;
}

/** The innermost brackets the caret is in, or next to. */
function groupAt(groups: readonly Group[], caret: number): Group | undefined {
  const inside = groups.findLast(({ open, close, weighs }) => weighs && open.end <= caret && caret <= close.start);
  return inside ?? groups.findLast(({ start, end, weighs }) => weighs && start <= caret && caret <= end);
}

/** The brackets around exactly this, or that it is, marks included. */
function groupOf(groups: readonly Group[], { start, end }: Range): Group | undefined {
  return groups.find(
    (group) =>
      group.weighs &&
      ((group.start === start && group.end === end) || (group.open.end === start && group.close.start === end)),
  );
}

/** A backslash and what it is before. */
function escapes(source: string): Pick<Group, 'open' | 'close' | 'start' | 'end'>[] {
  return Array.from(source.matchAll(/\\./gs), ({ index: start }) => {
    const end = start + 2;
    return { start, end, open: { start, end }, close: { start, end } };
  });
}

/** The range with every pair of brackets that it cuts through. */
function balanced(range: Range, groups: readonly Pick<Group, 'open' | 'close' | 'start' | 'end'>[]): Range {
  const isCut = ({ start, end, open, close }: (typeof groups)[number]) =>
    range.start < end &&
    start < range.end &&
    !(open.end <= range.start && range.end <= close.start) &&
    !(range.start <= start && end <= range.end);
  const cut = groups.find(isCut);
  if (!cut) return range;
  return balanced({ start: Math.min(range.start, cut.start), end: Math.max(range.end, cut.end) }, groups);
}

function trimmed(source: string, { start, end }: Range): Range {
  const text = source.slice(start, end);
  const from = start + text.length - text.trimStart().length;
  return { start: from, end: Math.max(from, start + text.trimEnd().length) };
}

/** What brackets may go around: they must not reach over a BREAK. */
function betweenBreaks(source: string, nodes: readonly Node[], range: Range): Range[] {
  const parts: Range[] = [];
  let from = range.start;
  const add = (end: number) => {
    const part = trimmed(source, { start: from, end });
    if (part.end > part.start) parts.push(part);
  };
  for (const { start, end } of breaksOutsideGroups(nodes, range)) {
    add(start);
    from = end;
  }
  add(range.end);
  return parts;
}

function breaksOutsideGroups(nodes: readonly Node[], range: Range): Range[] {
  return nodes.flatMap((node) => {
    if (node.end <= range.start || range.end <= node.start) return [];
    if (node.type === 'break') return [node];
    const isWithin =
      range.start <= node.start && node.end <= range.end && node.type === 'weighted' && node.open && node.close;
    return node.type === 'weighted' && !isWithin ? breaksOutsideGroups(node.children, range) : [];
  });
}

/** A run of characters without spaces, punctuation or brackets that are not escaped. */
function wordAt(source: string, caret: number): Range | null {
  for (const { 0: text, index } of source.matchAll(
    /(?:\\.|\.(?=[^\s.,;:!?()[\]{}<>|"])|[^\s.,;:!?()[\]{}<>|"\\])+/gs,
  )) {
    if (index > caret) return null;
    const word = { start: index, end: index + text.length };
    if (caret <= word.end) return text === 'BREAK' ? null : word;
  }
  return null;
}

function wrap(source: string, nodes: readonly Node[], content: Range, step: number): Weighing | null {
  if (content.end === content.start || holdsLooseBracket(source, nodes, content)) return null;
  const value = stepped(1, step, true);
  return {
    content,
    edits: [
      { start: content.start, end: content.start, insert: '(' },
      { start: content.end, end: content.end, insert: `:${value})` },
    ],
  };
}

/** Brackets directly around brackets are changed as one. */
function weighGroup(
  { source, nodes }: ParsedPrompt,
  groups: readonly Group[],
  group: Group,
  step: number,
): Weighing | null {
  let outer = group;
  while (outer.parent?.weighs && outer.parent.open.end === outer.start && outer.parent.close.start === outer.end)
    outer = outer.parent;
  const nest = [outer];
  let content = { start: outer.open.end, end: outer.close.start };
  const inside = () =>
    groups.find(({ weighs, start, end }) => weighs && start === content.start && end === content.end);
  for (let inner = inside(); inner; inner = inside()) {
    nest.push(inner);
    content = { start: inner.open.end, end: inner.close.start };
  }
  const before = nest.reduce((product, { value }) => product * value, 1);
  const isTyped = nest.length === 1 && outer.number !== null;
  const value = stepped(before, step, isTyped);
  const whole = { start: outer.start, end: outer.end };
  if (isTyped && outer.number && value !== 1) return { content, edits: [{ ...outer.number, insert: String(value) }] };
  // A bracket that is text inside square ones would close round ones.
  if (nest.some(({ isSquare }) => isSquare) && holdsLooseBracket(source, nodes, content)) return null;
  const isBare = value === 1;
  const opening = isBare ? (runsTogether(source, whole.start, content.start) ? ' ' : '') : '(';
  const closing = isBare ? (runsTogether(source, content.end, whole.end) ? ' ' : '') : `:${value})`;
  return {
    content,
    edits: [
      { start: whole.start, end: content.start, insert: opening },
      { start: content.end, end: whole.end, insert: closing },
    ],
  };
}

const letter = /^[\p{L}\p{M}]$/u;
const space = /^\s$/u;

/** Whether the characters before `left` and after `right` would be one word, or one run of punctuation. */
function runsTogether(source: string, left: number, right: number): boolean {
  const [before, after] = [source[left - 1] ?? ' ', source[right] ?? ' '];
  return !space.test(before) && !space.test(after) && letter.test(before) === letter.test(after);
}

/** From a typed weight a step; from one that brackets give, to the next multiple of the step. Not below 0 from above. */
function stepped(value: number, step: number, isTyped: boolean): number {
  const size = Math.abs(step);
  const steps = value / size;
  const nearest = Math.round(steps);
  const isOn = Math.abs(steps - nearest) < 1e-6;
  const next = isTyped
    ? value + step
    : size * (isOn ? nearest + Math.sign(step) : step > 0 ? Math.ceil(steps) : Math.floor(steps));
  return Math.round((value >= 0 ? Math.max(0, next) : next) * 1e4) / 1e4;
}

/** A caret stays where it is in the text; a selection becomes what was weighed, without its brackets. */
function selectionAfter(selection: Range, weighings: readonly Weighing[]): Range {
  const edits = weighings.flatMap((weighing) => weighing.edits);
  if (selection.start === selection.end) return caretAfter(selection.start, edits);
  const shift = (before: readonly Edit[]) =>
    before.reduce((sum, { start, end, insert }) => sum + insert.length - (end - start), 0);
  const { start } = weighings[0].content;
  const { end } = weighings[weighings.length - 1].content;
  return {
    start: start + shift(edits.filter((edit) => edit.end <= start)),
    end: end + shift(edits.filter((edit) => edit.start < end)),
  };
}

/** `edits` opens, and then closes, or is of a number alone. */
function caretAfter(caret: number, edits: readonly Edit[]): Range {
  let shift = 0;
  for (const [i, { start, end, insert }] of edits.entries()) {
    const isPast = end < caret || (end === caret && (start < end || i === 0));
    if (isPast) shift += insert.length - (end - start);
    else if (start < caret) shift += Math.min(0, insert.length - (caret - start));
  }
  return { start: caret + shift, end: caret + shift };
}
