/** Conditionings that analyses speak of, for other programs: the encoder's rows of one chunk, before weights. */
import type { EncoderPass } from '../clip/encoderPass.ts';
import type { ConditioningTensor } from '../road/export/exportConditioning.ts';
import type { TokenKind } from '../tokens/promptTokens.ts';
import { rowsWithout } from './ablation.ts';
import type { AnalysisEncoder, SwitchedOff } from './analysisEncoder.ts';

export interface NamedRows {
  readonly name: string;
  /** [L, d] */
  readonly rows: ArrayLike<number>;
}

/** LN(H_l) of each state up to the one that is read, LN the final LayerNorm. */
export async function layerRows(pass: EncoderPass, read: number, encoder: AnalysisEncoder): Promise<NamedRows[]> {
  const [states] = await encoder.states([pass]);
  return states.slice(0, read + 1).map((state, layer) => ({ name: `layer_${layer}`, rows: encoder.finalNorm(state) }));
}

/** The rows of one kind of token at a time, with those of the empty prompt in the place of all others. kinds [L]. */
export async function kindRows(
  pass: EncoderPass,
  empty: EncoderPass,
  kinds: readonly TokenKind[],
  encoder: AnalysisEncoder,
): Promise<NamedRows[]> {
  const { hiddenSize: d } = encoder.config;
  const [z, none] = await encoder.rows([pass, empty]);
  return [
    { name: 'words_only', kept: 'text' },
    { name: 'eos_only', kept: 'eos' },
    { name: 'pad_only', kept: 'pad' },
  ].map(({ name, kept }) => ({
    name,
    rows: Float32Array.from(z, (value, i) => (kinds[Math.floor(i / d)] === kept ? value : none[i])),
  }));
}

/** The rows of the encoder with one part of it switched off. */
export async function rowsWithoutPart(
  pass: EncoderPass,
  off: SwitchedOff,
  encoder: AnalysisEncoder,
): Promise<NamedRows[]> {
  const part = off.head === null ? 'mlp' : `head_${off.head + 1}`;
  const way = off.way === 'uniform' && off.head !== null ? 'uniform' : 'without';
  return [{ name: `${way}_layer_${off.layer + 1}_${part}`, rows: await rowsWithout(pass, off, encoder) }];
}

/** Makes tensors of them whose names end in `prompt_embeds`, by which this page and scripts know a conditioning. */
export function namedTensors(named: readonly NamedRows[], L: number): ConditioningTensor[] {
  return named.map(({ name, rows }) => ({
    name: `${name}.prompt_embeds`,
    dtype: 'F32',
    shape: [1, L, rows.length / L],
    data: Float32Array.from(rows),
  }));
}
