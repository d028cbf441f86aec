import { toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { type Factors, type LoraChange, type LoraUpdate, loraDelta } from './loraDelta.ts';

/**
 * Gathers rows of the token embedding [V, d], as stored, by id → [ids.length, d]. The GPU does not do it, because the
 * whole float32 table exceeds the default limit of a storage buffer. Throws RangeError for an id past the table's end.
 */
export function tokenRows(
  table: Uint8Array,
  dtype: WeightDtype,
  ids: Uint32Array,
  d: number,
): Float32Array<ArrayBuffer> {
  const rowBytes = d * weightBytes[dtype];
  const vocabSize = table.length / rowBytes;
  const rows = new Uint8Array(ids.length * rowBytes);
  ids.forEach((id, i) => {
    if (id >= vocabSize) throw new RangeError(`Token id ${id} is outside the table of ${vocabSize} rows.`);
    rows.set(table.subarray(id * rowBytes, (id + 1) * rowBytes), i * rowBytes);
  });
  return toFloat32(rows, dtype);
}

/**
 * Adds a LoRA's change of the token embedding to rows [ids.length, d] of it, in place. Only the rows of these ids are computed:
 * the change of the whole table would take 300 MB. Throws RangeError for a kind that norms the whole table.
 */
export function addToRows(
  rows: Float32Array,
  ids: Uint32Array,
  d: number,
  update: LoraUpdate,
  multiplier: number,
): void {
  for (const [i, id] of ids.entries()) {
    const row = rows.subarray(i * d, (i + 1) * d);
    const delta = loraDelta(rowOf(update, id, d), multiplier, row);
    for (let column = 0; column < d; column++) row[column] += delta[column];
  }
}

/** Makes the update of one row of a matrix whose rows have d numbers. */
function rowOf(update: LoraUpdate, row: number, d: number): LoraUpdate {
  const { change, magnitude } = update;
  if (magnitude?.along === 'columns' || change.kind === 'LoKr' || change.kind === 'OFT')
    throw new RangeError('Such a change of the token embedding is not of one row alone.');
  const norms = magnitude && { ...magnitude, norms: magnitude.norms.subarray(row, row + 1) };
  return { ...update, magnitude: norms, change: changeOfRow(change, row, d) };
}

function changeOfRow(change: Exclude<LoraChange, { kind: 'LoKr' | 'OFT' }>, row: number, d: number): LoraChange {
  const rowOfLeft = ({ left, right }: Factors): Factors => ({
    left: {
      rows: 1,
      columns: left.columns,
      values: left.values.subarray(row * left.columns, (row + 1) * left.columns),
    },
    right,
  });
  switch (change.kind) {
    case 'LoRA':
      return { ...change, up: change.up.subarray(row * change.rank, (row + 1) * change.rank) };
    case 'LoHa':
      return { ...change, first: rowOfLeft(change.first), second: rowOfLeft(change.second) };
    case 'IA³':
      return change.along === 'columns' ? change : { ...change, factors: change.factors.subarray(row, row + 1) };
    case 'GLoRA':
      return { ...change, added: rowOfLeft(change.added) };
    case 'difference':
    case 'replacement':
      return { ...change, values: change.values.subarray(row * d, (row + 1) * d) };
    default:
      return change satisfies never;
  }
}
