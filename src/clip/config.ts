import { contextLength, vocabSize } from '../tokens/clipVocabulary.ts';

/**
 * Sizes of a CLIP text transformer, with transformers' names. The letters used in every shape comment:
 * V vocabSize · L maxPositionEmbeddings · d hiddenSize · h numAttentionHeads · dh headDim · m intermediateSize ·
 * N numHiddenLayers · B passes in a batch.
 */
export interface ClipTextConfig {
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenSize: number;
  readonly numAttentionHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly layerNormEps: number;
}

/** openai/clip-vit-large-patch14, text half: the encoder of Stable Diffusion 1.x. */
export const clipVitL14: ClipTextConfig = {
  vocabSize,
  maxPositionEmbeddings: contextLength,
  hiddenSize: 768,
  numAttentionHeads: 12,
  headDim: 64,
  intermediateSize: 3072,
  numHiddenLayers: 12,
  layerNormEps: 1e-5,
};

/** Same vocabulary and length, everything else small: for tests and for a first look without a GPU. */
export const clipTiny: ClipTextConfig = {
  vocabSize,
  maxPositionEmbeddings: contextLength,
  hiddenSize: 64,
  numAttentionHeads: 4,
  headDim: 16,
  intermediateSize: 128,
  numHiddenLayers: 2,
  layerNormEps: 1e-5,
};
