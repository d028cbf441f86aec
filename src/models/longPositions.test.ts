import { expect, test } from 'vitest';
import { type ClipTextConfig, clipTiny, clipVitL14 } from '../clip/config.ts';
import { expectedTensors, positionEmbeddingName } from '../clip/weights.ts';
import { fromFloat32 } from '../files/dtypes.ts';
import { openSafetensors, type TensorEntry } from '../files/safetensors.ts';
import { zeroSource } from '../files/testing/faultySources.ts';
import { memorySource } from '../files/testing/memorySource.ts';
import { bosTokenId, eosTokenId } from '../tokens/clipVocabulary.ts';
import { drift, examine } from './doctor.ts';
import { encoderPlan } from './library/downloadPlan.ts';
import { CheckpointError, openCheckpoint, openclipDoubt } from './openCheckpoint.ts';
import { syntheticWeights } from './synthetic.ts';
import { checkpointBytes } from './testing/checkpoints.ts';
import { weightsHash } from './weightsHash.ts';

const name = 'long.safetensors';

/** A file of zeros with an encoder of so many positions, by Hugging Face's names. */
const zeros = (config: ClipTextConfig, maxPositionEmbeddings: number) =>
  zeroSource(
    [...expectedTensors({ ...config, maxPositionEmbeddings })].map(
      ([name, shape]): TensorEntry => ({ name, dtype: 'F16', shape }),
    ),
  );

test.each([clipVitL14, clipTiny])(
  'an encoder of width $hiddenSize has as many positions as its table has rows',
  async (config) => {
    for (const L of [16, 40, 248, 512]) {
      const opened = await openCheckpoint(zeros(config, L));
      expect(opened.config).toEqual({ ...config, maxPositionEmbeddings: L });
    }
    expect((await openCheckpoint(zeros(config, 77))).config).toBe(config);
    for (const L of [15, 513]) {
      const refusal = openCheckpoint(zeros(config, L));
      await expect(refusal).rejects.toThrow(CheckpointError);
      await expect(refusal).rejects.toThrow(
        `has a text encoder of ${L} positions; expected 16 to 512: Stable Diffusion 1's has 77, and Long-CLIP's 248.`,
      );
    }
  },
);

const tokenIds = [320, 736, 7, bosTokenId, eosTokenId];
const small: ClipTextConfig = {
  ...clipTiny,
  vocabSize: tokenIds.length,
  maxPositionEmbeddings: 40,
  hiddenSize: 32,
  numAttentionHeads: 2,
  intermediateSize: 64,
};
const text = { hidden_size: 32, num_attention_heads: 2, intermediate_size: 64, num_hidden_layers: 2 };
const metadata = {
  token_ids: JSON.stringify(tokenIds),
  clip_config: JSON.stringify({ text_config: { ...text, max_position_embeddings: 40 } }),
};
const late = Float32Array.from({ length: 40 * 32 }, (_, i) => i / 4096);

/** A file of Long-CLIP's own layout, with a second position table of this shape. */
const longClip = (shape = [40, 32]) =>
  checkpointBytes({
    config: small,
    dtype: 'F16',
    layout: 'openclip',
    metadata,
    extra: [
      {
        name: 'positional_embedding_res',
        dtype: 'F16',
        shape,
        data: () => fromFloat32(late.subarray(0, shape[0] * shape[1]), 'F16'),
      },
    ],
  });

test('Long-CLIP’s own file has its first 20 positions in one table and the others in another', async () => {
  const bytes = await longClip();
  const encoder = await openCheckpoint(memorySource(bytes, name));
  const early = await syntheticWeights(small, { dtype: 'F16' }).read(positionEmbeddingName);
  const kept = 20 * 32 * 2;
  const rows = await encoder.read(positionEmbeddingName);
  expect(rows.subarray(0, kept)).toEqual(early.subarray(0, kept));
  expect(rows.subarray(kept)).toEqual(fromFloat32(late, 'F16').subarray(kept));
  // OpenCLIP has no such encoder, so that there is no doubt whose it is.
  expect(encoder.doubt).toBeUndefined();

  const examined = await examine(await openSafetensors(memorySource(bytes, name)));
  expect(examined.sha256).toBe(await weightsHash(encoder));
  expect(examined.extra).not.toContain('positional_embedding_res');
  expect(examined.notes).not.toContain(openclipDoubt);

  const plan = await encoderPlan(memorySource(bytes, name));
  const fetched = [plan.header, ...plan.ranges.map(({ start, end }) => bytes.subarray(start, end))];
  const copy = await openCheckpoint(memorySource(new Uint8Array(Buffer.concat(fetched)), name));
  expect(await weightsHash(copy)).toBe(await weightsHash(encoder));
});

test('encoders of different lengths are not compared', async () => {
  const [long, short] = [248, 77].map((L) =>
    syntheticWeights({ ...small, maxPositionEmbeddings: L }, { name: `of ${L}` }),
  );
  await expect(drift(long, short)).rejects.toThrow(
    '"of 248" and "of 77" have text encoders of 248 and 77 positions; only like can be compared.',
  );
});

test('a second position table of another shape is refused', async () => {
  await expect(openCheckpoint(memorySource(await longClip([30, 32]), name))).rejects.toThrow(
    '"long.safetensors" has two position tables, of which "positional_embedding_res" is [30, 32] in "F16"; expected [40, 32] in "F16", as the other is.',
  );
});
