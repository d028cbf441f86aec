import type { PromptToken } from '../tokens/promptTokens.ts';
import type { ConditionedRows, StepConditioning } from './promptSteps.ts';

/** Rows of a conditioning that are left in it; in the place of all others, BOS among them, stand those of the empty prompt. */
export const rowSelections = ['all', 'words', 'eos', 'pad', 'without-pad'] as const;
export type RowSelection = (typeof rowSelections)[number];

function isKept(selection: RowSelection, token: PromptToken | null): boolean {
  const kind = token?.kind ?? 'pad';
  switch (selection) {
    case 'all':
      return true;
    case 'words':
      return kind === 'text';
    case 'eos':
    case 'pad':
      return kind === selection;
    case 'without-pad':
      return kind !== 'pad';
    default:
      return selection satisfies never;
  }
}

function withRows({ rows, tokens }: ConditionedRows, empty: Float32Array, selection: RowSelection): Float32Array {
  const d = rows.length / tokens.length;
  const changed = rows.slice();
  for (const [row, token] of tokens.entries()) {
    if (isKept(selection, token)) continue;
    const from = (row * d) % empty.length;
    changed.set(empty.subarray(from, from + d), row * d);
  }
  return changed;
}

/** Leaves some rows of the positive prompt alone in a conditioning. `empty` [77, d] are the rows of the empty prompt. */
export function keepRows(
  { parts, negative }: StepConditioning,
  empty: Float32Array,
  selection: RowSelection,
): StepConditioning {
  return { parts: parts.map((part) => ({ ...part, rows: withRows(part, empty, selection) })), negative };
}
