/** Attention of the rows that the heads pick: the EOS of a caption, the class token of a picture. */

import type { CompactTable } from '../clip/weights.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { readCaptions } from './captionBatch.ts';
import type { ClipModel } from './clipModel.ts';
import { imageForward, patchCount } from './imageTower.ts';
import { textForward } from './textTower.ts';
import type { Tower } from './tower.ts';

/** Attention [keys] of one row in each layer, the mean over the heads, of sum 1. */
export type AttentionByLayer = readonly Float64Array<ArrayBuffer>[];

/** The attention of a row of the one sequence, L rows long, that went forward last. */
function attentionOf({ layers, config }: Tower, L: number, row: number): AttentionByLayer {
  const { numAttentionHeads: h } = config;
  return layers.map(({ probabilities }) => {
    const means = new Float64Array(L);
    for (let head = 0; head < h; head++)
      for (let key = 0; key < L; key++) means[key] += probabilities[(head * L + row) * L + key] / h;
    return means;
  });
}

/** The attention of a caption's EOS to its tokens, BOS and EOS among them. inputIds [77] */
export function captionAttention({ text }: ClipModel, rows: CompactTable, inputIds: Uint32Array): AttentionByLayer {
  const captions = readCaptions(inputIds, contextLength, rows);
  textForward(text, captions);
  return attentionOf(text.tower, captions.lengths[0], captions.picks[0]);
}

/** The attention of a picture's class token to itself, and then to the patches, row by row. picture [3, S, S] */
export function pictureAttention({ image }: ClipModel, picture: Float32Array): AttentionByLayer {
  imageForward(image, picture, 1);
  return attentionOf(image.tower, 1 + patchCount(image.config), 0);
}
