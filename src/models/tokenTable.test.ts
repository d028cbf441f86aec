import { expect, test } from 'vitest';
import { fromFloat32 } from '../files/dtypes.ts';
import { tokenRows } from './tokenTable.ts';

const d = 4;
const values = Float32Array.from({ length: 5 * d }, (_, i) => i / 8 - 1);

test.each(['F32', 'F16', 'BF16'] as const)('rows of an %s table, in the order of the ids', (dtype) => {
  const table = fromFloat32(values.slice(), dtype);
  const rows = tokenRows(table, dtype, Uint32Array.of(4, 0, 0, 2), d);
  expect(Array.from(rows)).toEqual([4, 0, 0, 2].flatMap((id) => Array.from(values.subarray(id * d, (id + 1) * d))));
});

test('an id past the end is an error', () => {
  const table = fromFloat32(values.slice(), 'F16');
  expect(() => tokenRows(table, 'F16', Uint32Array.of(1, 5), d)).toThrow('id 5 is outside the table of 5 rows');
});
