import type { CompactTable } from '../clip/weights.ts';
import { toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';
import { type Factors, type LoraChange, type LoraUpdate, loraDelta } from './loraDelta.ts';
import { createRandom, normal } from './seededRandom.ts';

/** Standard deviation of the elements of token and position tables before training. */
export const tableDeviation = 0.02;

/**
 * Makes the table of a model that knows the words of a small world alone: `ids` has the ids of its rows, in order. Every other id
 * has a vector with the spread of a row before training, drawn by the id; training meets these as words that change nothing.
 */
export function createCompactTable(ids: ArrayLike<number>, d: number): CompactTable {
  return {
    rowOf: new Map(Array.from(ids, (id, row) => [id, row])),
    vectorOf(id) {
      const random = createRandom(id);
      return Float32Array.from({ length: d }, () => tableDeviation * normal(random));
    },
  };
}

/** A token embedding as it is held. */
export interface TokenTable {
  /** [V, d] as stored. */
  readonly bytes: Uint8Array;
  readonly dtype: WeightDtype;
  /** Present where it has not a row for every id. */
  readonly compact?: CompactTable;
}

/**
 * Gathers the token embeddings of ids → [ids.length, d]. The GPU does not do it, because the whole float32 table exceeds the
 * default limit of a storage buffer. Throws RangeError for an id past the table's end.
 */
export function tokenRows(
  { bytes, dtype, compact }: TokenTable,
  ids: Uint32Array,
  d: number,
): Float32Array<ArrayBuffer> {
  const rowBytes = d * weightBytes[dtype];
  const vocabSize = bytes.length / rowBytes;
  const stored = new Uint8Array(ids.length * rowBytes);
  const vectors: [number, Float32Array][] = [];
  ids.forEach((id, i) => {
    const row = compact ? compact.rowOf.get(id) : id;
    if (row === undefined) vectors.push([i, compact!.vectorOf(id)]);
    else if (row >= vocabSize) throw new RangeError(`Token id ${id} is outside the table of ${vocabSize} rows.`);
    else stored.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), i * rowBytes);
  });
  const rows = toFloat32(stored, dtype);
  for (const [i, vector] of vectors) rows.set(vector, i * d);
  return rows;
}

/**
 * Adds a LoRA's change of the token embedding to rows [ids.length, d] of it, in place. Only the rows of these ids are computed:
 * the change of the whole table would take 300 MB. Ids without a row stay as they are. Throws RangeError for a kind that norms
 * the whole table.
 */
export function addToRows(
  rows: Float32Array,
  ids: Uint32Array,
  d: number,
  update: LoraUpdate,
  { multiplier, compact }: { readonly multiplier: number; readonly compact?: CompactTable },
): void {
  for (const [i, id] of ids.entries()) {
    const place = compact ? compact.rowOf.get(id) : id;
    if (place === undefined) continue;
    const row = rows.subarray(i * d, (i + 1) * d);
    const delta = loraDelta(rowOf(update, place, d), multiplier, row);
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
