import type { EncoderPass } from '../clip/encoderPass.ts';
import { withRowsHidden } from '../clip/maskEffects.ts';
import { rowDistance } from '../weighting/study/rowSums.ts';
import type { AnalysisEncoder } from './analysisEncoder.ts';
import { type PromptItem, saidFirst } from './promptItems.ts';
import { together } from './rowMeasures.ts';

/** One word's effect on the other rows. */
export interface WordEffect {
  /** [L] ‖ΔCⱼ‖ of each row where nothing attends to the word any more; exactly 0 in the rows before it under a causal mask. */
  readonly hidden: Float64Array;
  /** [L] ‖ΔCⱼ‖ of each token where the word is said first, wherever the token stands then. */
  readonly first: Float64Array;
  /** ‖ΔC‖ of the rows other than its own. */
  readonly hiddenTotal: number;
  readonly firstTotal: number;
}

/** A chunk and its words. */
export interface ItemsOfPass {
  readonly pass: EncoderPass;
  readonly items: readonly PromptItem[];
}

/** The passes that `wordEffects` asks for. */
export const wordPasses = ({ pass, items }: ItemsOfPass): EncoderPass[] => [
  pass,
  ...items.map(({ rows }) => withRowsHidden(pass, rows)),
  ...items.map(({ rows }) => saidFirst(pass, rows).pass),
];

/** Leaves each word out, and says each first, one at a time. */
export async function wordEffects(of: ItemsOfPass, encoder: AnalysisEncoder): Promise<readonly WordEffect[]> {
  const { pass, items } = of;
  const { hiddenSize: d } = encoder.config;
  const [z, ...others] = await encoder.rows(wordPasses(of));
  const all = Array.from(pass.inputIds.keys());
  return items.map(({ rows }, i) => {
    const { placeOf } = saidFirst(pass, rows);
    const hidden = Float64Array.from(all, (row) => rowDistance(z, row, others[i], row, d));
    const first = Float64Array.from(all, (row) => rowDistance(z, row, others[items.length + i], placeOf[row], d));
    const rest = all.filter((row) => !rows.includes(row));
    const ofRest = (distances: Float64Array) => together(rest.map((row) => distances[row]));
    return { hidden, first, hiddenTotal: ofRest(hidden), firstTotal: ofRest(first) };
  });
}
