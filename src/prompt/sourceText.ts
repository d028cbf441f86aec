import type { Range, SourceText } from './ast.ts';

/** 0, 1, 2 …: places of typed text are copied from here, as arrays that grow unit by unit take several times their memory. */
const counting: number[] = [];
/** 1, 2, 3 … */
const countingFromOne: number[] = [];

/** `source.slice(start, end)` as typed: every character stands for itself. */
export function sourceText(source: string, start = 0, end = source.length): SourceText {
  while (counting.length <= end) counting.push(counting.length);
  return {
    text: source.slice(start, end),
    starts: counting.slice(start, end),
    ends: counting.slice(start + 1, end + 1),
  };
}

/** `source` as typed, to look places up in: its places are shared and go on beyond the text, and so take no memory of their own. */
export function placesOf(source: string): SourceText {
  while (countingFromOne.length <= source.length) countingFromOne.push(countingFromOne.length + 1);
  while (counting.length <= source.length) counting.push(counting.length);
  return { text: source, starts: counting, ends: countingFromOne };
}

/** A text of no characters. */
export const noText: SourceText = { text: '', starts: [], ends: [] };

/** The units [from, to) of a derived text. */
export function sliceSource(source: SourceText, from: number, to = source.text.length): SourceText {
  if (from === to) return noText;
  const { text, starts, ends } = source;
  if (from === 0 && to === text.length && starts.length === to) return { text, starts, ends };
  return { text: text.slice(from, to), starts: starts.slice(from, to), ends: ends.slice(from, to) };
}

/** `text`, every unit of which was typed at `range`: what an escape or a ligature becomes. */
export function replacement(text: string, range: Range): SourceText {
  if (text.length === 1) return { text, starts: [range.start], ends: [range.end] };
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < text.length; i++) {
    starts.push(range.start);
    ends.push(range.end);
  }
  return { text, starts, ends };
}

export function joinSources(parts: readonly SourceText[]): SourceText {
  if (parts.length === 1) return parts[0];
  const joined = blankSource(parts.map((part) => part.text).join(''));
  let at = 0;
  for (const part of parts) at = copyPlaces(part, joined, at);
  return joined;
}

/** Joins texts with spaces, each of which stands for what was typed between two neighbours; `places` are those of the texts. */
export function joinSpaced(parts: readonly SourceText[], places: readonly Range[]): SourceText {
  if (parts.length === 1) return parts[0];
  const joined = blankSource(parts.map((part) => part.text).join(' '));
  let at = copyPlaces(parts[0], joined, 0);
  for (let i = 1; i < parts.length; i++) {
    joined.starts[at] = places[i - 1].end;
    joined.ends[at] = places[i].start;
    at = copyPlaces(parts[i], joined, at + 1);
  }
  return joined;
}

/** Puts a space before each of these units, in order; it stands for nothing that was typed, after the unit before. */
export function spacesBefore(source: SourceText, units: readonly number[]): SourceText {
  if (units.length === 0) return source;
  const parts = units.map((unit, i) => source.text.slice(i > 0 ? units[i - 1] : 0, unit));
  parts.push(source.text.slice(units[units.length - 1]));
  const spaced = blankSource(parts.join(' '));
  let from = 0;
  let at = 0;
  for (const unit of units) {
    at = copyPlaces(source, spaced, at, from, unit);
    spaced.starts[at] = source.ends[unit - 1];
    spaced.ends[at++] = source.ends[unit - 1];
    from = unit;
  }
  copyPlaces(source, spaced, at, from);
  return spaced;
}

/** A text whose places are being written. It may be joined of as many parts as it has characters, for which flatMap takes several times as long. */
interface WrittenSource {
  readonly text: string;
  readonly starts: number[];
  readonly ends: number[];
}

/** A text without its places, for which there is room. */
function blankSource(text: string): WrittenSource {
  return { text, starts: Array(text.length), ends: Array(text.length) };
}

/** Writes the places of a part, or of its units [from, to), at unit `at` and after; gives the next unit to write. */
function copyPlaces(part: SourceText, joined: WrittenSource, at: number, from = 0, to = part.text.length): number {
  for (let unit = from, next = at; unit < to; unit++, next++) {
    joined.starts[next] = part.starts[unit];
    joined.ends[next] = part.ends[unit];
  }
  return at + to - from;
}

/** The range of the prompt in which the units [from, to) of a derived text were typed; undefined if there are none. */
export function typedRange(source: SourceText, from: number, to: number): Range | undefined {
  if (to <= from) return undefined;
  return { start: source.starts[from], end: source.ends[to - 1] };
}

/** One number for both ends of a range, to look it up by: it is made faster than a text, and no prompt has 2²⁶ characters. */
export function placeOf({ start, end }: Range): number {
  return start * 2 ** 26 + end;
}

export function isWithin(inner: Range, outer: Range): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** The number of `ranges`, sorted by their beginnings, that begin before `place`. */
export function countBefore(ranges: readonly Pick<Range, 'start'>[], place: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle].start < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a range lies within one of others, which are sorted and do not overlap. */
export function isWithinAny(inner: Range, ranges: readonly Range[]): boolean {
  const around = ranges[countBefore(ranges, inner.start + 1) - 1];
  return around !== undefined && isWithin(inner, around);
}

/** Keeps the ranges that lie in no other one, sorted by their beginnings. No two of `ranges` cross. */
export function outermost<T extends Range>(ranges: readonly T[]): T[] {
  let end = 0;
  return ranges
    .toSorted((a, b) => a.start - b.start)
    .filter((range) => {
      if (range.start < end) return false;
      end = range.end;
      return true;
    });
}
