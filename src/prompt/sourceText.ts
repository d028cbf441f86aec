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

/** The units [from, to) of a derived text. */
export function sliceSource(source: SourceText, from: number, to = source.text.length): SourceText {
  if (from === 0 && to === source.text.length) return { text: source.text, starts: source.starts, ends: source.ends };
  return {
    text: source.text.slice(from, to),
    starts: source.starts.slice(from, to),
    ends: source.ends.slice(from, to),
  };
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
  const text = parts.map((part) => part.text).join('');
  // A prompt may be joined of as many parts as it has characters, for which flatMap takes several times as long.
  const starts: number[] = Array(text.length);
  const ends: number[] = Array(text.length);
  let at = 0;
  for (const part of parts) {
    for (let i = 0; i < part.text.length; i++, at++) {
      starts[at] = part.starts[i];
      ends[at] = part.ends[i];
    }
  }
  return { text, starts, ends };
}

/** The range of the prompt in which the units [from, to) of a derived text were typed; undefined if there are none. */
export function typedRange(source: SourceText, from: number, to: number): Range | undefined {
  if (to <= from) return undefined;
  return { start: source.starts[from], end: source.ends[to - 1] };
}

export function isWithin(inner: Range, outer: Range): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** The number of `ranges`, sorted by their beginnings, that begin before `place`. */
export function countBefore(ranges: readonly Range[], place: number): number {
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
