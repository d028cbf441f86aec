import { StateEffect, StateField } from '@codemirror/state';
import type { Range } from '../../../prompt/ast.ts';
import type { Syntax } from '../../../prompt/syntax.ts';
import type { PreparedPrompt } from '../../../road/preparedPrompt.ts';
import type { ColourScale } from '../../pictures/color.ts';
import { type TokenRange, tokenRanges } from './tokenRanges.ts';

/** The page's facts about the prompt in an editor. */
export interface EditorFacts {
  /** Undefined until the tokenizer is loaded. */
  readonly prepared: PreparedPrompt | undefined;
  readonly syntax: Syntax;
  /** Index of the prompt's chunk on show, whose tokens can be pointed at; null if another prompt is on show. */
  readonly chunk: number | null;
  readonly scale: ColourScale;
}

export const setFacts = StateEffect.define<EditorFacts>();

export interface KnownFacts extends Partial<EditorFacts> {
  readonly ranges: readonly TokenRange[];
}

/** Facts about the prompt as it was when the page last sent some: at most one change behind the text. */
export const factsField = StateField.define<KnownFacts>({
  create: () => ({ ranges: [] }),
  update(facts, { effects }) {
    let now = facts;
    for (const effect of effects)
      if (effect.is(setFacts)) {
        const { prepared } = effect.value;
        const isSame = prepared === now.prepared;
        now = {
          ...effect.value,
          ranges: isSame ? now.ranges : tokenRanges(prepared?.texts ?? []),
        };
      }
    return now;
  },
});

/** Ranges of this prompt that the person points at, anywhere on the page. */
export interface PointedRanges {
  readonly query: Range | null;
  readonly key: Range | null;
}

export const setPointed = StateEffect.define<PointedRanges>();

export const pointedField = StateField.define<PointedRanges>({
  create: () => ({ query: null, key: null }),
  update(pointed, { effects, docChanged }) {
    // After a change of the text the old ranges are wrong; new ones follow with the new tokens.
    let now = docChanged ? { query: null, key: null } : pointed;
    for (const effect of effects) if (effect.is(setPointed)) now = effect.value;
    return now;
  },
});
