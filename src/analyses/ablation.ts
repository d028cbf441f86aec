import type { ClipTextConfig } from '../clip/config.ts';
import type { EncoderPass } from '../clip/encoderPass.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import { attentionMask } from '../clip/masks.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import type { AnalysisEncoder, HeadAblation, SwitchedOff } from './analysisEncoder.ts';
import { rowLength, together } from './rowMeasures.ts';

/** The change of the rows where something is switched off. */
export interface AblationEffect {
  /** [L] ‖ΔCⱼ‖; null in rows that it cannot reach, whatever the weights are. */
  readonly rows: readonly (number | null)[];
  /** ‖ΔC‖ of all rows; null where it reaches none. */
  readonly total: number | null;
}

export interface Ablations {
  /** [N] of [h] */
  readonly heads: readonly (readonly AblationEffect[])[];
  /** [N] */
  readonly mlps: readonly AblationEffect[];
  /** ‖C‖ of all rows. */
  readonly length: number;
}

/** Gives each row of a head the plain mean of the values that the mask lets it see. v [L, d] → [L, d], of the head alone. */
function uniformHead(
  v: ArrayLike<number>,
  head: number,
  pass: EncoderPass,
  { headDim, hiddenSize: d }: ClipTextConfig,
) {
  const L = pass.inputIds.length;
  const mask = attentionMask(pass);
  const out = new Float32Array(L * d);
  for (let row = 0; row < L; row++) {
    const keys = Array.from({ length: L }, (_, key) => key).filter((key) => mask[row * L + key]);
    for (let c = head * headDim; c < (head + 1) * headDim && keys.length > 0; c++)
      out[row * d + c] = keys.reduce((sum, key) => sum + v[key * d + c], 0) / keys.length;
  }
  return out;
}

/** The output of a layer's heads, [L, d], with one of them switched off. */
function withoutHead(
  tensors: LayerTensors,
  head: number,
  way: HeadAblation,
  pass: EncoderPass,
  config: ClipTextConfig,
): Float32Array {
  const { headDim, hiddenSize: d } = config;
  const attended = Float32Array.from(tensors.get('attended')!);
  const other = way === 'uniform' ? uniformHead(tensors.get('v')!, head, pass, config) : null;
  for (let row = 0; row * d < attended.length; row++)
    for (let c = row * d + head * headDim; c < row * d + (head + 1) * headDim; c++) attended[c] = other ? other[c] : 0;
  return attended;
}

/** An encoder that can go on from the middle. */
interface ResumedEncoder<Rows> extends Pick<AnalysisEncoder, 'config' | 'layer'> {
  resume(...given: Parameters<AnalysisEncoder['resume']>): Promise<Rows>;
}

/** Goes on from a layer, of which these are the tensors, with one part of it switched off. */
function goOnWithout<Rows>(
  pass: EncoderPass,
  tensors: LayerTensors,
  { layer, head, way }: SwitchedOff,
  { config, resume }: ResumedEncoder<Rows>,
): Promise<Rows> {
  if (head === null) return resume(pass, layer + 1, { hidden: tensors.get('residual1')! });
  const attended = withoutHead(tensors, head, way, pass, config);
  return resume(pass, layer, { hidden: tensors.get('hidden')!, attended });
}

/** Encodes with one part of the encoder switched off: the rows [L, d], as `AnalysisEncoder.rows` takes them. */
export async function rowsWithout<Rows>(
  pass: EncoderPass,
  off: SwitchedOff,
  encoder: ResumedEncoder<Rows>,
): Promise<Rows> {
  return goOnWithout(pass, await encoder.layer(pass, off.layer), off, encoder);
}

/**
 * Switches every head and every MLP off, one at a time. `read` is the state that the rows are taken of: what comes after it
 * cannot change them. A head of `uniform` attention cannot change a row that sees one key alone. `known` are the effects of the MLPs,
 * where the heads were switched off in another way before.
 */
export async function ablations(
  pass: EncoderPass,
  way: HeadAblation,
  read: number,
  encoder: AnalysisEncoder,
  known?: Ablations['mlps'],
): Promise<Ablations> {
  const { config } = encoder;
  const { hiddenSize: d, numAttentionHeads: h, numHiddenLayers: N } = config;
  const rows = Array.from(pass.inputIds.keys());
  const [z] = await encoder.rows([pass]);
  const mask = attentionMask(pass);
  const seesOne = rows.map(
    (row) => mask.subarray(row * rows.length, (row + 1) * rows.length).filter(Boolean).length <= 1,
  );
  // A row that sees nothing but itself is changed by no other row, at any layer.
  const isClosed = rows.map((row) => seesOne[row] && mask[row * rows.length + row] === 1);
  const everywhere = rows.map(() => false);
  const nowhere: AblationEffect = { rows: rows.map(() => null), total: null };
  const effect = (other: ArrayLike<number>, cannot: readonly boolean[]): AblationEffect => {
    const changes = rows.map((row) => (cannot[row] ? null : rowDistance(z, row, other, row, d)));
    return { rows: changes, total: together(changes.map((change) => change ?? 0)) };
  };
  const heads: AblationEffect[][] = [];
  const mlps: AblationEffect[] = [];
  for (let layer = 0; layer < N; layer++) {
    if (layer >= read) {
      heads.push(Array.from({ length: h }, () => nowhere));
      mlps.push(nowhere);
      continue;
    }
    const tensors = await encoder.layer(pass, layer);
    const ofHeads: AblationEffect[] = [];
    for (let head = 0; head < h; head++) {
      const other = await goOnWithout(pass, tensors, { layer, head, way }, encoder);
      ofHeads.push(effect(other, way === 'uniform' ? isClosed : everywhere));
    }
    heads.push(ofHeads);
    const withoutMlp = async () => goOnWithout(pass, tensors, { layer, head: null, way }, encoder);
    mlps.push(known?.[layer] ?? effect(await withoutMlp(), everywhere));
  }
  return { heads, mlps, length: together(rows.map((row) => rowLength(z, row, d))) };
}
