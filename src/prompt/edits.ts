import type { Edit, Range } from './ast.ts';

/** What a command does to a prompt. */
export interface Change {
  /** In the order of their ranges, which do not overlap. */
  readonly edits: readonly Edit[];
  /** What is selected afterwards, in the changed text. */
  readonly selection: Range;
}

export function applyEdits(source: string, edits: readonly Edit[]): string {
  return edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, { start, end, insert }) => text.slice(0, start) + insert + text.slice(end), source);
}
