import { promptShape } from '../a1111/promptShape.ts';
import type { Edit, Node, PageChanges, ParsedPrompt, Range, WeightedNode } from '../ast.ts';
import { sameChooser } from '../comfy/dynamicPrompt.ts';
import { applyEdits, type Change } from '../edits.ts';
import { parsePrompt } from '../parsePrompt.ts';
import { countBefore, isWithin, isWithinAny, outermost, placeOf } from '../sourceText.ts';
import type { Syntax } from '../syntax.ts';
import { type Enclosed, enclosedIn, isSchedule, type Section, sectionsOf, trimmed } from './brackets.ts';
import {
  areWeighed,
  asideOf,
  isOutline,
  type Mark,
  outline,
  sameAside,
  sameWeight,
  type WeightedMark,
  weightedMarks,
} from './encodedText.ts';

/**
 * Changes the weight of what is selected, or of what the caret is in (the innermost brackets, else the word), by `step`:
 * writes brackets where there are none, and removes them where they change nothing. `parsed` is of the prompt itself, as
 * `parsePrompt` reads it. Null where there is nothing to weigh, or where the result would be read otherwise than meant.
 */
export function changeWeight(parsed: ParsedPrompt, selection: Range, step: number, syntax: Syntax): Change | null {
  const { source, nodes } = parsed;
  const network = changeNetwork(parsed, selection, step, syntax);
  if (network) return network;
  const prompt: Prompt = { source, ...groupsOf(source, nodes), step, syntax };
  const weighings = weighingsOf(prompt, parsed, selection);
  if (weighings.length === 0) return null;
  const before = { aside: asideOf(parsed), outline: outline(parsed.nodes), weights: weightedMarks(parsed.fragments) };
  for (let i = 0; i < Math.max(...weighings.map(({ length }) => length)); i++) {
    const chosen = weighings.flatMap((ways) => ways[i] ?? ways.at(-1) ?? []);
    const edits = chosen.flatMap((weighing) => weighing.edits);
    if (chosen.length < weighings.length || !isMeant(parsed, before, prompt, chosen, edits)) continue;
    return { edits, selection: selectionAfter(selection, chosen) };
  }
  return null;
}

/** Brackets that open and close, or what Compel weighs without them. */
interface Group extends Range {
  readonly open: Range;
  readonly close: Range;
  /** Range of the typed weight, for another to be written there. */
  readonly number: Range | null;
  readonly isTyped: boolean;
  readonly value: number;
  /** Weight of the text inside, with all brackets around it. */
  readonly weight: number;
  /** True for a ComfyUI number, with which the weight around does not count. */
  readonly replaces: boolean;
  /** False for `[a:b:0.5]` and `[a|b]`, which schedule. */
  readonly weighs: boolean;
  readonly parent: Group | null;
}

interface Prompt {
  readonly source: string;
  /** By their beginnings, the outer before the inner. */
  readonly groups: readonly Group[];
  /** The outermost brackets that weigh, by the place of what is in them or of themselves, marks included. */
  readonly around: ReadonlyMap<number, Group>;
  /** The outermost brackets that weigh, by the place of the brackets alone. */
  readonly byPlace: ReadonlyMap<number, Group>;
  readonly step: number;
  readonly syntax: Syntax;
}

/** One way to write a weight. */
interface Weighing {
  /** The weighed text, without its brackets. */
  readonly content: Range;
  readonly edits: readonly Edit[];
  readonly from: number;
  readonly to: number;
  /** Whether brackets are new, which they must have a reason to be. */
  readonly isNew: boolean;
}

/** For each part of the selection the ways to weigh it, best first. */
function weighingsOf(prompt: Prompt, parsed: ParsedPrompt, selection: Range): Weighing[][] {
  const { nodes, page } = parsed;
  const { source, groups, syntax } = prompt;
  const embeddings = nodesOf(nodes, 'network').filter(({ kind }) => kind === 'embedding');
  const { start, end } = selection;
  if (start === end) {
    const group = groupAt(groups, start);
    if (group) return [weighGroup(prompt, group)];
    const word = embeddings.find((node) => node.start <= start && end <= node.end) ?? wordAt(parsed, start);
    const isBreak = syntax === 'a1111' && word && source.slice(word.start, word.end) === 'BREAK';
    return word && !isBreak ? [wrap(prompt, word)] : [];
  }
  const atoms = [
    ...Array.from(source.matchAll(/\\./gs), ({ index }) => ({ start: index, end: index + 2 })),
    ...embeddings,
    ...(page?.comments ?? []),
  ];
  if (page && isAside(page, selection)) return [];
  const enclosed = allEnclosed(parsed, { nodes, range: { start: 0, end: source.length } });
  const pairs = groups.map(enclosedBy).concat(enclosed, atoms.map(unbroken));
  const whole = balanced(trimmed(parsed, selection), pairs);
  const parts = prompt.around.has(placeOf(whole)) ? [whole] : betweenBreaks(parsed, whole);
  return parts
    .flatMap((part) => outweighed(prompt, part))
    .map((part) => {
      const group = prompt.around.get(placeOf(part));
      return group ? weighGroup(prompt, group) : wrap(prompt, part);
    });
}

/** Tells whether the edits leave the text as it is, each character with the weight it had or was to have. */
function isMeant(
  parsed: ParsedPrompt,
  before: {
    readonly aside: readonly string[];
    readonly outline: readonly Mark[];
    readonly weights: readonly WeightedMark[];
  },
  prompt: Prompt,
  weighings: readonly Weighing[],
  edits: readonly Edit[],
): boolean {
  const places = weighedPlaces(prompt, weighings);
  const reached = new Set<Weighing | undefined>();
  for (const { at } of before.weights) reached.add(places[at]);
  // Fragments lack the text that Compel swaps in.
  for (const { text, at } of before.outline) if (text.length === 1) reached.add(places[at]);
  if (weighings.some((weighing) => weighing.isNew && !reached.has(weighing))) return false;
  const { page } = parsed;
  const after = parsePrompt(applyEdits(parsed.source, edits), prompt.syntax, page && sameChooser(page.choices));
  if (!sameAside(before.aside, asideOf(after)) || !isOutline(after.nodes, before.outline)) return false;
  const areMeant = areWeighed(after.fragments, before.weights, ({ at, weight }, now) => {
    const weighing = places[at];
    if (!weighing) return sameWeight(weight, now);
    return weighing.from === 0 || sameWeight((weight * weighing.to) / weighing.from, now);
  });
  // New brackets may take in what A1111 reads before weights: AND, the weight of a part, a schedule's marks, a comment.
  return areMeant && (prompt.syntax !== 'a1111' || promptShape(parsed.source) === promptShape(after.source));
}

/** [source.length] The weighing that changes the weight of each unit: none where a number of ComfyUI inside of it counts instead. */
function weighedPlaces({ source, groups }: Prompt, weighings: readonly Weighing[]): (Weighing | undefined)[] {
  const places: (Weighing | undefined)[] = Array(source.length).fill(undefined);
  for (const weighing of weighings.toReversed()) {
    const { content } = weighing;
    let from = content.start;
    for (const replaced of outermost(replacingIn(groups, content))) {
      places.fill(weighing, from, replaced.start);
      from = replaced.end;
    }
    places.fill(weighing, from, content.end);
  }
  return places;
}

/** The brackets in a range whose number replaces the weight around them. `groups` are sorted by their beginnings. */
function replacingIn(groups: readonly Group[], range: Range): Group[] {
  const inside = groups.slice(countBefore(groups, range.start), countBefore(groups, range.end));
  return inside.filter((group) => group.replaces && isWithin(group, range));
}

const networks: Record<Syntax, RegExp | null> = {
  a1111: /<\w+:[^<>]*:([+-]?(?:\d+\.?\d*|\.\d+))>/g,
  compel: /(?:use|with)Lora\(\s*[\w-]+\s*,\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)/g,
  comfy: null,
};

/** `<lora:name:0.8>`, `withLora(name, 0.8)`: the number at the end. It stays at 1. */
function changeNetwork(parsed: ParsedPrompt, { start, end }: Range, step: number, syntax: Syntax): Change | null {
  const pattern = networks[syntax];
  if (!pattern) return null;
  const starts = new Set(nodesOf(parsed.nodes, 'network').map((node) => node.start));
  for (const { 0: tag, 1: number, index } of parsed.source.matchAll(pattern)) {
    const tagEnd = index + tag.length;
    if (!(index < end && start < tagEnd) && !(start === end && index <= start && start <= tagEnd)) continue;
    // A tag that Compel takes for text has no node.
    const isNetwork = syntax === 'a1111' || starts.has(index);
    if (!isNetwork) continue;
    if (start < index || end > tagEnd) return null;
    const from = index + tag.lastIndexOf(number);
    const edits = [{ start: from, end: from + number.length, insert: String(stepped(Number(number), step, true)) }];
    return { edits, selection: { start: caretAfter(start, edits).start, end: caretAfter(end, edits).end } };
  }
  return null;
}

/** The nodes that hold others, and theirs, in the order they are typed. */
function nodesOf<T extends Node['type']>(
  nodes: readonly Node[],
  type: T,
  found: Extract<Node, { type: T }>[] = [],
): Extract<Node, { type: T }>[] {
  for (const node of nodes) {
    if (node.type === type) found.push(node as Extract<Node, { type: T }>);
    for (const section of sectionsOf(node)) nodesOf(section.nodes, type, found);
  }
  return found;
}

function closedGroups(
  source: string,
  nodes: readonly Node[],
  parent: Group | null = null,
  found: Group[] = [],
): Group[] {
  for (const node of nodes) {
    const group = node.type === 'weighted' ? closedGroup(source, node, parent) : null;
    if (group) found.push(group);
    for (const section of sectionsOf(node)) closedGroups(source, section.nodes, group ?? parent, found);
  }
  return found;
}

function closedGroup(source: string, node: WeightedNode, parent: Group | null): Group | null {
  const { start, end, number, value, form } = node;
  const isBare = form === 'suffix-signs' && !node.open;
  const open = node.open ?? (isBare || form === 'attend' ? { start, end: start } : null);
  const close = node.close ?? (isBare ? number : null);
  if (!open || !close) return null;
  const replaces = node.effect === 'replace';
  return {
    start,
    end,
    open,
    close,
    number: isBare ? null : number,
    isTyped: number !== null && /[^+-]/.test(source.slice(number.start, number.end)),
    value,
    weight: replaces ? value : (parent?.weight ?? 1) * value,
    replaces,
    weighs: !isSchedule(node),
    parent,
  };
}

/** The innermost brackets the caret is in, or next to. */
function groupAt(groups: readonly Group[], caret: number): Group | undefined {
  const inside = groups.findLast(({ open, close, weighs }) => weighs && open.end <= caret && caret <= close.start);
  return inside ?? groups.findLast(({ start, end, weighs }) => weighs && start <= caret && caret <= end);
}

function groupsOf(source: string, nodes: readonly Node[]): Pick<Prompt, 'groups' | 'around' | 'byPlace'> {
  const groups = closedGroups(source, nodes);
  const around = new Map<number, Group>();
  const byPlace = new Map<number, Group>();
  for (const group of groups) {
    if (!group.weighs) continue;
    const [place, inside] = [placeOf(group), placeOf(between(group.open, group.close))];
    for (const key of [place, inside]) if (!around.has(key)) around.set(key, group);
    if (!byPlace.has(place)) byPlace.set(place, group);
  }
  return { groups, around, byPlace };
}

function enclosedBy({ start, end, open, close }: Group): Enclosed {
  return { start, end, content: between(open, close) };
}

/** Treats a range as one mark, in which nothing can be: brackets may stand around it, but not in it. */
function unbroken({ start, end }: Range): Enclosed {
  return { start, end, content: { start: end, end: start } };
}

/** Tells whether a range lies in a comment of ComfyUI's page, or in an option that it does not choose. */
function isAside({ comments, choices }: PageChanges, range: Range): boolean {
  return (
    comments.some((comment) => isWithin(range, comment)) ||
    choices.some(({ options, chosen }) => options.some((option, i) => i !== chosen && isWithin(range, option)))
  );
}

function allEnclosed(parsed: ParsedPrompt, section: Section): Enclosed[] {
  // All choices are in the outermost section.
  const inside = parsed.page ? [] : section.nodes.flatMap(sectionsOf);
  return enclosedIn(parsed, section).concat(inside.flatMap((within) => allEnclosed(parsed, within)));
}

/** The range with every pair of brackets that it cuts through. */
function balanced({ start: from, end: to }: Range, pairs: readonly Enclosed[]): Range {
  let [start, end] = [from, to];
  const isCut = (pair: Enclosed) =>
    start < pair.end &&
    pair.start < end &&
    !(pair.content.start <= start && end <= pair.content.end) &&
    !(start <= pair.start && pair.end <= end);
  const widen = (pair: Enclosed) => {
    if (isCut(pair)) [start, end] = [Math.min(start, pair.start), Math.max(end, pair.end)];
  };
  const sorted = pairs.toSorted((a, b) => a.start - b.start);
  // A pair that was passed before grows with the next round.
  for (let before = -1; before !== end - start; ) {
    before = end - start;
    for (const pair of sorted) widen(pair);
    for (let i = sorted.length - 1; i >= 0; i--) widen(sorted[i]);
  }
  return { start, end };
}

/** Cuts a range into stretches that brackets may go around: they must not reach over a BREAK. */
function betweenBreaks(parsed: ParsedPrompt, range: Range): Range[] {
  const parts: Range[] = [];
  let from = range.start;
  const add = (end: number) => {
    const part = trimmed(parsed, { start: from, end });
    if (part.end > part.start) parts.push(part);
  };
  for (const { start, end } of breaksOutsideGroups(parsed.nodes, range)) {
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
    if (node.type !== 'weighted' || (node.open && node.close && isWithin(node, range))) return [];
    return breaksOutsideGroups(node.children, range);
  });
}

/** A run of characters without spaces, punctuation or brackets that are not escaped; it ends where a comment of ComfyUI begins. */
function wordAt({ source, page }: ParsedPrompt, caret: number): Range | null {
  for (const { 0: text, index } of source.matchAll(
    /(?:\\.|\.(?!(?:swap|attend)\()(?=[^\s.,;:!?()[\]{}<>|"])|[^\s.,;:!?()[\]{}<>|"\\])+/gs,
  )) {
    if (index > caret) return null;
    const word = { start: index, end: index + text.length };
    if (caret > word.end) continue;
    for (const { start, end } of page?.comments ?? []) {
      if (word.start < end && end <= caret) word.start = end;
      if (caret <= start && start < word.end) word.end = start;
    }
    return word;
  }
  return null;
}

/**
 * The ranges to weigh instead of `range`: its brackets with ComfyUI numbers, each by itself, if all its words are in such
 * brackets, as new brackets around them would change nothing; else the range itself.
 */
function outweighed({ source, groups }: Prompt, range: Range): Range[] {
  const inner = replacingIn(groups, range);
  if (inner.length === 0) return [range];
  const covered = outermost(inner);
  const isOutside = (at: number) => !isWithinAny({ start: at, end: at + 1 }, covered);
  const words = Array.from(source.slice(range.start, range.end).matchAll(/[\p{L}\p{N}]/gu));
  if (words.some(({ index }) => isOutside(range.start + index))) return [range];
  const all = new Set(inner);
  return inner.filter(({ parent }) => !(parent && all.has(parent)));
}

/** New brackets. */
function wrap(prompt: Prompt, content: Range): Weighing[] {
  const { source, groups, step, syntax } = prompt;
  const around =
    syntax === 'comfy' ? groups.findLast(({ open, close }) => isWithin(content, between(open, close))) : null;
  const from = around?.weight ?? 1;
  const to = stepped(from, step, around?.isTyped ?? true);
  if (content.end === content.start || to === from || !isWritable(to)) return [];
  const ways = [
    ...(syntax === 'compel' ? numbered(source, content, to) : []),
    ...bracketed(source, content, content, { value: to, syntax }).map((edits) => ({ content, edits })),
  ];
  return ways.map((way) => ({ ...way, from, to, isNew: true }));
}

/** Compel's brackets or quotes without a weight, in the content or around it, with one. */
function numbered(source: string, content: Range, value: number): Pick<Weighing, 'content' | 'edits'>[] {
  const { start, end } = content;
  const inside = { start: start + 1, end: end - 1 };
  return [inside, content]
    .filter((range) => /^(?:\(.+\)|".+")$/s.test(source.slice(range.start - 1, range.end + 1)))
    .map((range) => ({
      content: range,
      edits: [{ start: range.end + 1, end: range.end + 1, insert: String(value) }],
    }));
}

/** Brackets with a weight instead of what is of `whole` around `content`. */
function bracketed(
  source: string,
  whole: Range,
  content: Range,
  { value, syntax }: { value: number; syntax: Syntax },
): Edit[][] {
  if (syntax !== 'compel') return [instead(whole, content, '(', `:${value})`)];
  const touches = (at: number) => /[^ \t\n\r]/.test(source[at] ?? ' ');
  // A space beside another, or at an end of the prompt, is read as none, and a long prompt takes long to read.
  const beside = { before: touches(whole.start - 1), after: touches(whole.end) };
  // Before `.swap()`, and between the commas of `.and()`, only what is in brackets has a weight.
  return [...spaced(whole, content, '(', `)${value}`, beside), instead(whole, content, '((', `)${value})`)];
}

/** Marks instead of others. */
function instead(whole: Range, content: Range, opening: string, closing: string): Edit[] {
  return [
    { start: whole.start, end: content.start, insert: opening },
    { start: content.end, end: whole.end, insert: closing },
  ];
}

/** With spaces `beside` them, if need be: Compel's brackets must not touch a word, nor what follows be read as theirs. */
function spaced(
  whole: Range,
  content: Range,
  opening: string,
  closing: string,
  beside = { before: true, after: true },
): Edit[][] {
  const spaces = (isOne: boolean) => (isOne ? ['', ' '] : ['']);
  return spaces(beside.before).flatMap((before) =>
    spaces(beside.after).map((after) => instead(whole, content, before + opening, closing + after)),
  );
}

function between(open: Range, close: Range): Range {
  return { start: open.end, end: close.start };
}

/** Brackets directly around brackets are changed as one. */
function weighGroup({ source, byPlace, step, syntax }: Prompt, group: Group): Weighing[] {
  let outer = group;
  while (outer.parent?.weighs && outer.parent.open.end === outer.start && outer.parent.close.start === outer.end)
    outer = outer.parent;
  const nest = [outer];
  let content = between(outer.open, outer.close);
  for (let inner = byPlace.get(placeOf(content)); inner; inner = byPlace.get(placeOf(content))) {
    nest.push(inner);
    content = between(inner.open, inner.close);
  }
  const isAbsolute = syntax === 'comfy';
  const inner = nest[nest.length - 1];
  const from = isAbsolute ? inner.weight : nest.reduce((product, { value }) => product * value, 1);
  const to = stepped(from, step, isAbsolute ? inner.isTyped : nest.length === 1 && outer.isTyped);
  if (!isWritable(to)) return [];
  const around = isAbsolute ? (outer.parent?.weight ?? 1) : 1;
  const { start, end } = outer;
  const ways: Edit[][] = to === rounded(around) ? withoutBrackets(source, outer, content, syntax) : [];
  if (nest.length === 1 && outer.number) {
    // Characters after a Compel number may be read as more of it.
    for (const space of syntax === 'compel' ? ['', ' '] : [''])
      ways.push([{ ...outer.number, insert: `${to}${space}` }]);
  } else ways.push(...bracketed(source, { start, end }, content, { value: to, syntax }));
  return ways.map((edits) => ({ content, edits, from, to, isNew: false }));
}

function withoutBrackets(source: string, { start, end, open, close }: Group, content: Range, syntax: Syntax): Edit[][] {
  const opening = runsTogether(source, start, content.start) ? ' ' : '';
  const closing = runsTogether(source, content.end, end) ? ' ' : '';
  const ways = spaced({ start, end }, content, opening, closing);
  const hasMarks = syntax === 'compel' && open.end > open.start;
  return hasMarks ? [...ways, [{ start: close.start + 1, end, insert: '' }]] : ways;
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
  return rounded(value >= 0 ? Math.max(0, next) : next);
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/** Only ComfyUI reads exponents. */
function isWritable(value: number): boolean {
  return Math.abs(value) < 1e12;
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

/** `edits` holds an opening and a closing mark, or a number alone. */
function caretAfter(caret: number, edits: readonly Edit[]): Range {
  let shift = 0;
  for (const [i, { start, end, insert }] of edits.entries()) {
    const isPast = end < caret || (end === caret && (start < end || i === 0));
    if (isPast) shift += insert.length - (end - start);
    else if (start < caret) shift += Math.min(0, insert.length - (caret - start));
  }
  return { start: caret + shift, end: caret + shift };
}
