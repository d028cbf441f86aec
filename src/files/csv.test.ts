import { expect, test } from 'vitest';
import { tablesCsv } from './csv.ts';

test('tables are lines of table, row, column and value, with signs that mean something quoted', () => {
  const text = tablesCsv([
    {
      name: 'Change, in all',
      rows: ['1 “a”', '2 "b"'],
      columns: ['x', '=y'],
      values: [
        [0.25, null],
        [-1e-9, 'two\nlines'],
      ],
    },
    { name: 'None', rows: [], columns: ['x'], values: [] },
    { name: '-1', rows: ['r'], columns: ['c'], values: [[Number.POSITIVE_INFINITY]] },
  ]);
  expect(text).toBe(
    [
      '\ufefftable,row,column,value',
      '"Change, in all",1 “a”,x,0.25',
      `"Change, in all",1 “a”,'=y,`,
      '"Change, in all","2 ""b""",x,-1e-9',
      `"Change, in all","2 ""b""",'=y,"two\nlines"`,
      "'-1,r,c,Infinity",
      '',
    ].join('\r\n'),
  );
});
