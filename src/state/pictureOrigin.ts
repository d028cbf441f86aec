import { modelName } from './encoderStatus.ts';
import type { Facts } from './facts.ts';
import { shared, writeShared } from './shared.ts';
import { shownInShort } from './shownInShort.ts';

/** Says of what a saved picture is, so that it can be understood away from the page. */
export interface PictureOrigin {
  /** The line that stands over the view, with the model's name in it. */
  readonly inShort: string;
  /** The prompt of the picture, or both, on one line each. */
  readonly prompts: readonly string[];
  /** The saved prompt (see writeShared), by which the picture opens again; absent where it shows no prompt. */
  readonly saved?: string;
}

const onOneLine = (text: string) => text.trim().replace(/\s+/g, ' ');

/** Describes what a picture of the view on show is of. */
export function pictureOrigin(facts: Facts): PictureOrigin {
  const { prompts, side, view, model } = facts;
  const inShort = shownInShort(facts, view);
  const both = inShort.startsWith('both');
  return {
    inShort: model?.random ? inShort.replace('made-up weights', modelName(facts)) : inShort,
    prompts: (both ? [prompts.positive, prompts.negative] : [prompts[side]]).map(onOneLine).filter(Boolean),
    saved: writeShared(shared(facts)),
  };
}
