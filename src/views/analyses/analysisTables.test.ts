import { expect, test } from 'vitest';
import type { AnalysisSubject } from '../../state/promptAnalyses.ts';
import {
  ablationTables,
  layersTables,
  leakageTables,
  sinksTables,
  variantsTables,
  wordsTables,
} from './analysisTables.ts';

const subject = {
  items: [
    { text: 'a', rows: [1] },
    { text: 'a', rows: [2] },
  ],
  labels: ['BOS', 'a', 'a', 'EOS'],
  pass: { causal: true },
} as unknown as AnalysisSubject;
const rows = Float64Array.of(0, 0, 0.5, 1);

test('every table has a value for each of its rows and columns, whose names differ', () => {
  const head = { attention: 0.5, weighted: 0.25, adds: 0.125 };
  const off = { rows: [...rows], total: 2 };
  const tables = [
    ...wordsTables(
      subject,
      [1, 2].map((total) => ({ hidden: rows, first: rows, hiddenTotal: total, firstTotal: total })),
    ),
    ...leakageTables(
      subject,
      [1, 2].map((length) => ({ length, distance: 0, turn: 0, from: [0, 0] })),
    ),
    ...variantsTables([{ name: 'Negated', text: 'not a a', turns: Float64Array.of(0, 1), hasUnknown: false }]),
    ...layersTables(subject, { left: [rows, rows], attention: [rows], mlp: [rows], massive: [] }),
    ...sinksTables({ heads: [[head, head]], valueLengths: [] }),
    ...ablationTables(subject, { heads: [[off, off]], mlps: [off], length: 4 }),
  ];
  expect(tables).toHaveLength(3 + 2 + 2 + 4 + 3 + 2);
  for (const { name, rows, columns, values } of tables) {
    expect(
      values.map((row) => row.length),
      name,
    ).toEqual(rows.map(() => columns.length));
    expect([new Set(rows).size, new Set(columns).size], name).toEqual([rows.length, columns.length]);
  }
  expect(new Set(tables.map(({ name }) => name)).size).toBe(tables.length);
});

test('numbers that there cannot be are left empty', () => {
  const effect = { hidden: rows, first: rows, hiddenTotal: 1, firstTotal: 1 };
  const [hidden, first] = wordsTables(subject, [effect, effect]);
  expect(hidden.values).toEqual([
    [null, 0, 0.5, 1],
    [null, null, 0.5, 1],
  ]);
  expect(first.values[1]).toEqual([0, 0, 0.5, 1]);
  const off = (total: number | null) => ({ rows: [total], total });
  const [shares] = ablationTables({ ...subject, labels: ['BOS'] }, { heads: [[off(2)]], mlps: [off(null)], length: 4 });
  expect(shares.values).toEqual([[0.5, null]]);
});
