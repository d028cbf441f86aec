import { commonPlaces } from '../../../tokens/align.ts';

const rowsOf = (ids: ArrayLike<number>) => Array.from(ids, (id) => ({ id }));

/** The places in a chunk of tokens that had others in the chunk before it: keys follow their tokens, and those of tokens that are gone go. */
export function movedKeys(keys: readonly number[], before: ArrayLike<number>, after: ArrayLike<number>): number[] {
  const places = new Map(commonPlaces(rowsOf(before), rowsOf(after)));
  return keys.flatMap((key) => places.get(key) ?? []);
}
