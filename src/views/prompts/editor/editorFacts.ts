import { StateEffect, StateField } from '@codemirror/state';
import type { Range } from '../../../prompt/ast.ts';
import type { Syntax } from '../../../prompt/syntax.ts';
import type { PreparedPrompt } from '../../../road/pipeline.ts';
import type { ColourScale } from '../../pictures/color.ts';
import { type TokenRange, tokenRanges } from './tokenRanges.ts';

/** What the page knows of the prompt in an editor. */
export interface EditorFacts {
  /** Undefined until the tokenizer is loaded. */
  readonly prepared: PreparedPrompt | undefined;
  readonly syntax: Syntax;
  /** Which of its chunks the pictures show, so that its tokens can be pointed at; null while they show another prompt. */
  readonly chunk: number | null;
  readonly scale: ColourScale;
}

export const setFacts = StateEffect.define<EditorFacts>();

export interface KnownFacts extends Partial<EditorFacts> {
  readonly ranges: readonly TokenRange[];
}

/** Of the prompt as it was when the page last told: behind by no more than the change that is being told. */
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

/** What the person points at, anywhere on the page, as far as it was typed here. */
export interface PointedRanges {
  readonly query: Range | null;
  readonly key: Range | null;
}

export const setPointed = StateEffect.define<PointedRanges>();

export const pointedField = StateField.define<PointedRanges>({
  create: () => ({ query: null, key: null }),
  update(pointed, { effects, docChanged }) {
    // Tokens come anew after each change; until then, nothing is.
    let now = docChanged ? { query: null, key: null } : pointed;
    for (const effect of effects) if (effect.is(setPointed)) now = effect.value;
    return now;
  },
});
