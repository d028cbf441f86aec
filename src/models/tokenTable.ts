import { toFloat32, type WeightDtype, weightBytes } from '../files/dtypes.ts';

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
