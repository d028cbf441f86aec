import { invertedEffects, isolateHistory } from '@codemirror/commands';
import { Annotation, type EditorState, StateEffect, type Transaction, type TransactionSpec } from '@codemirror/state';
import type { Replacement } from '../../../state/facts.ts';
import type { Work } from '../../../state/remembered.ts';

/** Marks a change that the page asked for; the store need not be told of it. */
export const fromPage = Annotation.define<true>();

/** Is attached to a change of one prompt by which more was replaced, so that one undo restores everything. */
const exchange = StateEffect.define<Pick<Replacement, 'before' | 'after'>>();

export const undoesReplacements = invertedEffects.of(({ effects }) =>
  effects.flatMap((effect) =>
    effect.is(exchange) ? [exchange.of({ before: effect.value.after, after: effect.value.before })] : [],
  ),
);

/** Makes a transaction that replaces the text by the page's; null if they are equal. */
export function replacing(state: EditorState, prompt: string, replaced: Replacement | null): TransactionSpec | null {
  const typed = state.doc.toString();
  if (typed === prompt) return null;
  let from = 0;
  while (from < typed.length && typed[from] === prompt[from]) from++;
  let kept = 0;
  while (kept < Math.min(typed.length, prompt.length) - from && typed.at(-1 - kept) === prompt.at(-1 - kept)) kept++;
  return {
    changes: { from, to: typed.length - kept, insert: prompt.slice(from, prompt.length - kept) },
    effects: replaced ? [exchange.of(replaced)] : [],
    annotations: [fromPage.of(true), isolateHistory.of('full')],
  };
}

/** Returns the work besides this prompt that an undo or redo restores; null if there is none. */
export function restored({ effects }: Transaction): Partial<Work> | null {
  for (const effect of effects) if (effect.is(exchange)) return effect.value.after;
  return null;
}
