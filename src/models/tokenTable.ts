import { toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';

/**
 * Gathers the rows of some ids from the token embedding [V, d] as stored → [ids.length, d]. Done here and not on the
 * GPU: the whole float32 table is larger than the default limit of a storage buffer. Throws RangeError on an id past
 * the table's end.
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
