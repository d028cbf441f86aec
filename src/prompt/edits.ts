import type { Edit, Range } from './ast.ts';

/** The edits that a command makes in a prompt. */
export interface Change {
  /** Sorted by their ranges, which do not overlap. */
  readonly edits: readonly Edit[];
  /** The selection afterwards, in the changed text. */
  readonly selection: Range;
}

export function applyEdits(source: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let from = 0;
  // The later one of two at one place comes first.
  for (const { start, end, insert } of edits.toReversed().sort((a, b) => a.start - b.start)) {
    pieces.push(source.slice(from, start), insert);
    from = end;
  }
  return [...pieces, source.slice(from)].join('');
}
