/** Ids of the vocabulary, BOS and EOS included. */
export const vocabSize = 49408;
/**
 * Rows of the position table of CLIP, and so ids that one pass takes: BOS, 75 tokens, EOS. The encoder of Stable Diffusion 1 has so
 * many; that of an opened file may have others, `maxPositionEmbeddings` of its sizes.
 */
export const contextLength = 77;

/** SD 1.5 pads with EOS. */
export const bosTokenId = 49406;
export const eosTokenId = 49407;
export const padTokenId = 49407;
