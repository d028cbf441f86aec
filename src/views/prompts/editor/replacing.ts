import { invertedEffects, isolateHistory } from '@codemirror/commands';
import { Annotation, type EditorState, StateEffect, type Transaction, type TransactionSpec } from '@codemirror/state';
import type { Replacement } from '../../../state/facts.ts';
import type { Work } from '../../../state/remembered.ts';

/** A change that the page asked for, and so needs not be told of. */
export const fromPage = Annotation.define<true>();

/** Rides on the change of one prompt where more than that was replaced, so that one undo takes all of it back. */
const exchange = StateEffect.define<Pick<Replacement, 'before' | 'after'>>();

export const undoesReplacements = invertedEffects.of(({ effects }) =>
  effects.flatMap((effect) =>
    effect.is(exchange) ? [exchange.of({ before: effect.value.after, after: effect.value.before })] : [],
  ),
);

/** Makes the text that of the page, in one step; null where it is. */
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

/** What an undo or redo brings back besides this prompt; null where that is all. */
export function restored({ effects }: Transaction): Partial<Work> | null {
  for (const effect of effects) if (effect.is(exchange)) return effect.value.after;
  return null;
}
