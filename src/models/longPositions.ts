/** The position table of Long-CLIP's own files, which are in two tensors. */

import { positionEmbeddingName } from '../clip/weights.ts';
import { joinedBytes } from '../files/joinedBytes.ts';
import { excerpt, type StoredTensor, shapeText, type TensorFile } from '../files/tensorFile.ts';
import { fileTensorName, type Layout } from './tensorNames.ts';

/** Rows that Long-CLIP keeps as CLIP learnt them: it stretches and trains those after them. */
const keptRows = 20;

/** Name in a file of the table with Long-CLIP's trained rows. Only files with OpenAI's names have it. */
export const latePositionsName = (layout: Layout): string => `${fileTensorName(positionEmbeddingName, layout)}_res`;

/**
 * A file's tensors with Long-CLIP's position table in one: the first 20 rows of `positional_embedding`, then those of
 * `positional_embedding_res`, as Long-CLIP adds them (`encode_text` in model_longclip.py). The tensors themselves where the file has no
 * second table. Calls `fail` where the tables are of different shapes or types.
 */
export function withLatePositions(
  tensors: TensorFile['tensors'],
  layout: Layout,
  fail: (why: string) => never,
): TensorFile['tensors'] {
  const name = fileTensorName(positionEmbeddingName, layout);
  const [early, late] = [tensors.get(name), tensors.get(latePositionsName(layout))];
  if (!early || !late || layout.names !== 'openai') return tensors;
  const described = ({ dtype, shape }: StoredTensor) => `${shapeText(shape.slice(0, 8))} in ${excerpt(dtype)}`;
  if (described(early) !== described(late))
    return fail(
      `has two position tables, of which ${excerpt(latePositionsName(layout))} is ${described(late)}; expected ${described(early)}, as the other is`,
    );
  const [L] = early.shape;
  const read: StoredTensor['read'] = async (signal, { start, end } = { start: 0, end: L }) => {
    const first = { start: Math.min(start, keptRows), end: Math.min(end, keptRows) };
    const rest = { start: Math.max(start, keptRows), end: Math.max(end, keptRows) };
    const parts: Uint8Array[] = [];
    if (first.start < first.end) parts.push(await early.read(signal, first));
    if (rest.start < rest.end) parts.push(await late.read(signal, rest));
    return joinedBytes(parts);
  };
  return new Map([...tensors, [name, { ...early, read }]]);
}
