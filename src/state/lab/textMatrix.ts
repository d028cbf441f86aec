/** S of texts against texts: the objective's similarity with the texts of one batch on both sides, in float64. */

import type { EncoderOutput, EncoderPass } from '../../clip/encoderPass.ts';
import { encoderPass } from '../../clip/masks.ts';
import type { TextProjection } from '../../clip/weights.ts';
import { exp } from '../../models/elementary.ts';
import { eosTokenId } from '../../tokens/clipVocabulary.ts';
import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { normalise, similarity, textToImageLoss } from '../../training/objective.ts';
import { captionTokens, writeInputIds } from '../../world/captionIds.ts';
import { readCaption } from '../../world/captionReading.ts';
import { plainCaption } from '../../world/captions.ts';
import { foil, foilKinds } from '../../world/description.ts';

/** −ln τ that CLIP ViT-L/14 learned, for files that have none: 1 / τ = 100, at open_clip's clamp. */
export const usualLogScale = Math.log(100);

/** The pass of a text as CLIP's own program reads it: without weights, cut where a pass is full. */
export function textPass(tokenizer: Tokenizer, text: string): EncoderPass {
  const inputIds = new Uint32Array(tokenizer.modelMaxLength);
  writeInputIds(captionTokens(tokenizer, text), inputIds, 0, inputIds.length);
  return encoderPass(inputIds, 'causal');
}

/** The row [d] that stands for a text: that of its first EOS, after the final LayerNorm. */
export function pooledRow({ inputIds }: EncoderPass, { lastHiddenState }: EncoderOutput): Float32Array {
  const d = lastHiddenState.length / inputIds.length;
  const eos = inputIds.indexOf(eosTokenId);
  return lastHiddenState.subarray(eos * d, (eos + 1) * d);
}

/** Matrices are [N, N], texts by texts. */
export interface TextMatrix {
  readonly N: number;
  /** [N, E], of length 1. */
  readonly u: Float64Array;
  readonly cosines: Float64Array;
  readonly S: Float64Array;
  /** Softmax of each row of S. */
  readonly byRow: Float64Array;
}

/** Projects pooled rows [d], and compares each with each. `logScale` is −ln τ. */
export function textMatrix(
  pooled: readonly Float32Array[],
  { E, matrix }: Pick<TextProjection, 'E' | 'matrix'>,
  logScale: number,
): TextMatrix {
  const N = pooled.length;
  const features = new Float64Array(N * E);
  for (const [n, row] of pooled.entries())
    for (let e = 0; e < E; e++) {
      let sum = 0;
      for (let i = 0; i < row.length; i++) sum += row[i] * matrix[e * row.length + i];
      features[n * E + e] = sum;
    }
  const u = normalise(features, E).rows;
  const cosines = similarity(u, u, E, 1);
  const scale = exp(logScale);
  const S = cosines.map((cosine) => scale * cosine);
  return { N, u, cosines, S, byRow: textToImageLoss(S, N).probabilities };
}

/** Texts to begin with: a prompt, and prompts of the same words that mean something else. */
export function startingTexts(prompt: string): string[] {
  const description = readCaption(prompt);
  const wrong = description ? foilKinds.flatMap((kind) => foil(description, kind) ?? []).map(plainCaption) : [];
  const words = prompt.split(/\s+/).filter(Boolean);
  const others = wrong.length > 0 ? wrong : words.length > 1 ? [words.toReversed().join(' ')] : [];
  return [...new Set([prompt, ...others, `a photo of ${prompt}`])];
}
