import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { pooledColumns, poolingFactor } from './pooling.ts';

test.each([
  [768, 1000, 1],
  [768, 768, 1],
  [768, 767, 2],
  [768, 300, 3],
  [3072, 500, 7],
  [64, 0, 1],
])('%d columns in %d pixels: %d fall together', (columns, pixels, factor) => {
  expect(poolingFactor(columns, pixels)).toBe(factor);
});

test('no value that is far from 0 is left out, and each cell says which column it shows', () => {
  const rows = fc.integer({ min: 1, max: 4 });
  const columns = fc.integer({ min: 1, max: 30 });
  const factor = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(
      rows,
      columns,
      factor,
      fc.infiniteStream(fc.float({ noNaN: true })),
      (rows, columns, factor, numbers) => {
        const values = Float32Array.from({ length: rows * columns }, () => numbers.next().value);
        const pooled = pooledColumns(values, columns, factor);
        expect(pooled.columns).toBe(Math.ceil(columns / factor));
        for (let row = 0; row < rows; row++)
          for (let cell = 0; cell < pooled.columns; cell++) {
            const own = values.subarray(
              row * columns + cell * factor,
              row * columns + Math.min((cell + 1) * factor, columns),
            );
            const shown = pooled.values[row * pooled.columns + cell];
            expect(Math.abs(shown)).toBe(Math.max(...own.map(Math.abs)));
            expect(values[row * columns + pooled.columnOf(row, cell)]).toBe(shown);
          }
      },
    ),
  );
});

test('what is not a number stays in sight', () => {
  const { values } = pooledColumns(Float32Array.of(5, Number.NaN, 7, 1), 4, 2);
  expect([...Float32Array.from(values)]).toEqual([Number.NaN, 7]);
});
