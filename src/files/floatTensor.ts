import { firstNonFinite, readAs, toFloat32, toReadable, unreadable } from './dtypes.ts';
import { excerpt, type StoredTensor, shapeText, unravel } from './tensorFile.ts';

/**
 * Reads a tensor of a small file as float32, row-major; float64 is rounded. Calls `fail` for another type, and for a
 * NaN or an infinity, with its index.
 */
export async function readFloats(
  name: string,
  tensor: StoredTensor,
  fail: (why: string) => never,
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const dtype = readAs(tensor.dtype);
  if (!dtype) return fail(`stores tensor ${excerpt(name)} as ${unreadable(tensor.dtype)}`);
  const bytes = await tensor.read(signal);
  const values = toFloat32(toReadable(bytes, tensor.dtype), dtype);
  const bad = firstNonFinite(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 'F32');
  if (bad >= 0)
    fail(
      `has ${values[bad]} in tensor ${excerpt(name)} at ${shapeText(unravel(bad, tensor.shape))}; expected only finite numbers`,
    );
  return values;
}
