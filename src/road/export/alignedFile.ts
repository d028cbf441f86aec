/** Pairs the rows of an opened file with those of the prompt here by their tokens. */
import type { Slices } from '../../prompt/slices.ts';
import { commonPlaces } from '../../tokens/align.ts';
import { comparingPairs, matrixRows, type RowPair } from '../study/rowDifferences.ts';
import type { ConditioningComparison } from './compareConditioning.ts';
import type { StoredConditioning } from './conditioningFile.ts';

export interface AlignedFile {
  /** Rows that hold the same token in both; none is left out where both hold the same tokens. */
  readonly pairs: number;
  /** Whether every row holds the same token in both. */
  readonly isSame: boolean;
  /** ‖file − here‖_F / ‖here‖_F over the pairs, and the mean of the rows' cosines. */
  readonly relative: number;
  readonly cosine: number;
}

/** Reads a file's ids, [rows]; null where it holds none for all of its rows. */
function storedIds(metadata: ReadonlyMap<string, string>, { name, rows }: StoredConditioning): number[] | null {
  const prefix = /^\d+\./.exec(name)?.[0] ?? '';
  const role = name.startsWith(`${prefix}negative_`) ? 'negative_' : '';
  try {
    const ids: unknown = JSON.parse(metadata.get(`${prefix}${role}token_ids`) ?? 'null');
    const flat = Array.isArray(ids) ? ids.flat() : [];
    return flat.length === rows && flat.every(Number.isInteger) ? flat : null;
  } catch {
    return null;
  }
}

/** Compares rows of one token; null where the file holds no ids. `own` is the conditioning of the prompt on the page, [rows, d]. */
export function* aligningFile(
  metadata: ReadonlyMap<string, string>,
  stored: StoredConditioning,
  { tokens, d, own }: Pick<ConditioningComparison, 'tokens' | 'd' | 'own'>,
): Slices<AlignedFile | null> {
  const ids = storedIds(metadata, stored);
  if (!ids) return null;
  const there = ids.map((id) => ({ id }));
  // A row that was completed has no token.
  const here = tokens.map((token) => ({ id: token?.id ?? -1 }));
  const pairs: RowPair[] = commonPlaces(there, here).map(([file, page]) => [page, file]);
  yield;
  const { relative, cosine } = yield* comparingPairs(matrixRows(own, d), matrixRows(stored.data, d), pairs);
  return { pairs: pairs.length, isSame: ids.every((id, row) => id === here[row].id), relative, cosine };
}
