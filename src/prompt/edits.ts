import type { Edit, Range } from './ast.ts';

/** The edits that a command makes in a prompt. */
export interface Change {
  /** Sorted by their ranges, which do not overlap. */
  readonly edits: readonly Edit[];
  /** The selection afterwards, in the changed text. */
  readonly selection: Range;
}

export function applyEdits(source: string, edits: readonly Edit[]): string {
  return edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, { start, end, insert }) => text.slice(0, start) + insert + text.slice(end), source);
}
