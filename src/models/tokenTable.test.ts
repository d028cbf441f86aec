import { expect, test } from 'vitest';
import { fromFloat32 } from '../files/dtypes.ts';
import { changedWeight, type LoraChange } from './loraDelta.ts';
import { addToRows, createCompactTable, tokenRows } from './tokenTable.ts';

const d = 4;
const values = Float32Array.from({ length: 5 * d }, (_, i) => i / 8 - 1);

test.each(['F32', 'F16', 'BF16'] as const)('rows of an %s table, in the order of the ids', (dtype) => {
  const table = fromFloat32(values.slice(), dtype);
  const rows = tokenRows({ bytes: table, dtype }, Uint32Array.of(4, 0, 0, 2), d);
  expect(Array.from(rows)).toEqual([4, 0, 0, 2].flatMap((id) => Array.from(values.subarray(id * d, (id + 1) * d))));
});

test('an id past the end is an error', () => {
  const table = fromFloat32(values.slice(), 'F16');
  expect(() => tokenRows({ bytes: table, dtype: 'F16' }, Uint32Array.of(1, 5), d)).toThrow(
    'id 5 is outside the table of 5 rows',
  );
});

const matrix = (rows: number, columns: number) => ({
  rows,
  columns,
  values: Float32Array.from({ length: rows * columns }, (_, i) => ((i * 5) % 7) / 8 - 0.25),
});
const factors = (rows: number, columns: number) => ({ left: matrix(rows, 2), right: matrix(2, columns) });

test.each<LoraChange>([
  { kind: 'LoRA', rank: 2, up: matrix(5, 2).values, down: matrix(2, d).values },
  { kind: 'LoHa', first: factors(5, d), second: factors(5, d) },
  { kind: 'IA³', factors: matrix(5, 1).values, along: 'rows' },
  { kind: 'IA³', factors: matrix(d, 1).values, along: 'columns' },
  { kind: 'GLoRA', ofWeight: factors(d, d), added: factors(5, d) },
  { kind: 'difference', values: matrix(5, d).values },
  { kind: 'replacement', values: matrix(5, d).values },
])('rows of a table changed by $kind are those of the changed table', (change) => {
  const update = { target: 'table', scale: 0.5, change, magnitude: null };
  const whole = changedWeight(values, [{ ...update, multiplier: 0.75 }]);
  const ids = Uint32Array.of(4, 0, 2);
  const rows = tokenRows({ bytes: fromFloat32(values.slice(), 'F32'), dtype: 'F32' }, ids, d);
  addToRows(rows, ids, d, update, { multiplier: 0.75 });
  expect(Array.from(rows)).toEqual([4, 0, 2].flatMap((id) => Array.from(whole.subarray(id * d, (id + 1) * d))));
});

test('a compact table gives the rows of its ids by id, and to every other id its vector', () => {
  const compact = createCompactTable([7, 40000, 3, 11, 9], d);
  const table = { bytes: fromFloat32(values.slice(), 'F32'), dtype: 'F32', compact } as const;
  const ids = Uint32Array.of(3, 4, 40000, 4);
  const rowOf = (row: number) => Array.from(values.subarray(row * d, (row + 1) * d));
  const vector = Array.from(compact.vectorOf(4));
  expect(Array.from(tokenRows(table, ids, d))).toEqual([...rowOf(2), ...vector, ...rowOf(1), ...vector]);

  const change = { kind: 'difference', values: matrix(5, d).values } as const;
  const rows = tokenRows(table, ids, d);
  addToRows(rows, ids, d, { target: 'table', scale: 0.5, change, magnitude: null }, { multiplier: 2, compact });
  const changed = (row: number) => rowOf(row).map((value, i) => value + change.values[row * d + i]);
  expect(Array.from(rows)).toEqual([...changed(2), ...vector, ...changed(1), ...vector]);
});

test('two unknown ids have different vectors of like spread', () => {
  const { vectorOf } = createCompactTable([], 4096);
  const [a, b] = [vectorOf(1000), vectorOf(1001)];
  const product = a.reduce((sum, v, i) => sum + v * b[i], 0);
  expect(Math.abs(Math.hypot(...a) / (0.02 * 64) - 1)).toBeLessThan(0.05);
  expect(Math.abs(product / (Math.hypot(...a) * Math.hypot(...b)))).toBeLessThan(0.06);
});
