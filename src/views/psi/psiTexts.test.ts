import { expect, test } from 'vitest';
import { readPsi, writtenRows } from '../../weighting/psiMaps.ts';
import { aloneMap, mapKinds, rangesText, withMap } from './psiTexts.ts';

test('every map that the lab writes is read', () => {
  expect(rangesText([2, 3, 4, 7])).toBe('2-4, 7');
  for (const { expression, hasOther } of mapKinds) {
    const text = withMap('1: z; r = a cat', [2, 3], expression(-0.5), hasOther ? 'a; dog' : null);
    expect(readPsi(text)).toMatchObject({ problems: [], reference: hasOther ? 'a  dog' : 'a cat' });
    expect(readPsi(text).maps.map(({ intervals }) => writtenRows(intervals))).toEqual(['1', '2-3']);
  }
});

test('a word that is alone is found by its own rows', () => {
  const maps = readPsi('2: alone; 3-4: alone; 5: z');
  expect(aloneMap(maps, [3, 4])?.text).toBe('alone');
  for (const rows of [[3], [2, 3, 4], [5], [6]]) expect(aloneMap(maps, rows)).toBeUndefined();
});
