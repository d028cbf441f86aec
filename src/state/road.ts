import type * as pipeline from '../road/pipeline.ts';

let loaded: typeof pipeline | undefined;

/** Loads the road from a prompt to its conditionings, which the first paint does without. Rejects where that fails. */
export async function loadRoad(): Promise<void> {
  loaded ??= await import('../road/pipeline.ts');
}

/** The road. Throws before `loadRoad` is done; with a tokenizer in the facts it is. */
export function road(): typeof pipeline {
  if (!loaded) throw new Error('The road is not loaded yet.');
  return loaded;
}
