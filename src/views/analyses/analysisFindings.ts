/** The sentences that say what the analyses found. */
import type { Ablations } from '../../analyses/ablation.ts';
import type { ConditioningShares } from '../../analyses/conditioningShares.ts';
import type { LayerTravel } from '../../analyses/layerTravel.ts';
import { leaks, type TakenContext } from '../../analyses/leakage.ts';
import { isIdle, type Sinks } from '../../analyses/sinks.ts';
import type { LayerReads } from '../../analyses/unetReads.ts';
import type { WordEffect } from '../../analyses/wordEffects.ts';
import type { AnalysisSubject, VariantTurns } from '../../state/promptAnalyses.ts';
import type { UnetSubject } from '../../state/unet/unetAnalysis.ts';
import type { UnetFound } from '../../worker/unet/unetMessages.ts';
import { percent, rough, small } from '../page/numbers.ts';

const quoted = (text: string) => `“${text}”`;

/** Gives the index of the largest number; −1 where there is none. */
export function largestAt(values: readonly number[]): number {
  return values.reduce((best, value, i) => (best < 0 || value > values[best] ? i : best), -1);
}

export function sharesFinding({ shares, total }: ConditioningShares): string {
  if (total === 0) return 'This prompt gives the same rows as the empty one.';
  const bos = shares.bos > 0 ? ` BOS has ${percent(shares.bos)}.` : '';
  return `Of all that sets this prompt apart from the empty one, ${percent(shares.text)} lies in the rows of its words, ${percent(shares.eos)} in EOS and ${percent(shares.pad)} in PAD.${bos}`;
}

export function wordsFinding({ items }: AnalysisSubject, effects: readonly WordEffect[]): string {
  const most = largestAt(effects.map(({ hiddenTotal }) => hiddenTotal));
  if (most < 0) return 'This chunk has no words.';
  const first = largestAt(effects.map(({ firstTotal }) => firstTotal));
  // A word that is first already moves nothing.
  const said =
    effects[first].firstTotal > 0
      ? ` Saying ${quoted(items[first].text)} first would move them by ${rough(effects[first].firstTotal)}.`
      : '';
  return `${quoted(items[most].text)} changes the rows of other tokens most: without it they move by ${rough(effects[most].hiddenTotal)} together.${said}`;
}

export function leakageFinding({ items }: AnalysisSubject, taken: readonly TakenContext[]): string {
  const [most] = leaks(taken);
  if (!most) return 'No word here takes anything from another one.';
  return `${quoted(items[most.taker].text)} takes most from another word, from ${quoted(items[most.giver].text)}: without it, its row moves by ${percent(most.share)} of its length.`;
}

export function variantsFinding(variants: readonly VariantTurns[]): string {
  const last = ({ turns }: VariantTurns) => turns[turns.length - 1];
  const own = variants.filter(({ text }) => text !== '');
  const least = own.toSorted((a, b) => last(a) - last(b))[0];
  if (!least) return 'Type a prompt to compare it with its variants.';
  return `The variant that the encoder tells apart least is ${quoted(least.text)}: its EOS row has a cosine of ${small(1 - last(least))} with this prompt’s.`;
}

export function layersFinding({ tokens }: AnalysisSubject, { left, massive }: LayerTravel): string {
  const read = left.length - 1;
  if (read === 0) return 'The embeddings are what is read: no layer comes before them.';
  const eos = tokens.findIndex(({ kind }) => kind === 'eos');
  const half = left.findIndex((state) => state[eos] <= 0.5);
  const numbers =
    massive.length === 0
      ? 'No number of the stream is massive.'
      : `${massive.length} of its dimensions hold massive numbers, the largest ${rough(massive[0].ratio)} times the median.`;
  const way = half < read ? `after layer ${half} of ${read}` : `only in the last of its ${read} layers`;
  return `EOS comes within half its length of where it ends ${way}. ${numbers}`;
}

export function sinksFinding({ heads }: Sinks): string {
  const all = heads.flat();
  if (all.length === 0) return 'The embeddings are what is read: no head comes before them.';
  const sink = all.filter(({ attention }) => attention > 0.5).length;
  return `${all.filter(isIdle).length} of ${all.length} heads do next to nothing for this prompt; ${sink} ${sink === 1 ? 'gives' : 'give'} BOS more than half of the attention.`;
}

export function ablationFinding({ heads, mlps, length }: Ablations): string {
  const found = [
    ...heads.flatMap((of, layer) =>
      of.map(({ total }, head) => ({ name: `head ${head + 1} of layer ${layer + 1}`, total })),
    ),
    ...mlps.map(({ total }, layer) => ({ name: `the MLP of layer ${layer + 1}`, total })),
  ].flatMap(({ name, total }) => (total === null ? [] : [{ name, total }]));
  const most = found.toSorted((a, b) => b.total - a.total)[0];
  if (!most) return 'No layer comes before the state that is read.';
  return `Most depends on ${most.name}: without it the rows move by ${percent(most.total / length)} of their length.`;
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The length of the first row as a multiple of the mean of these rows, in the mean over all layers. */
const timesOf = (layers: readonly LayerReads[], part: 'keys' | 'values', rows: readonly number[]) =>
  meanOf(layers.map((layer) => layer[part].after[0] / meanOf(rows.map((row) => layer[part].after[row]))));

/** How far a row is moved by weights, in the mean over all layers. */
export const meanMove = (layers: readonly LayerReads[], part: 'keys' | 'values', row: number): number =>
  meanOf(layers.map((layer) => layer[part].moved[row]));

export function unetFinding({ tokens, labels }: Pick<UnetSubject, 'tokens' | 'labels'>, found: UnetFound): string {
  if ('problem' in found) return found.problem;
  const { layers } = found;
  const words = [...tokens.keys()].filter((row) => tokens[row].kind === 'text');
  if (words.length === 0) return 'This chunk has no words that keys and values could be of.';
  const times = (part: 'keys' | 'values') => rough(timesOf(layers, part, words));
  const rows = [...tokens.keys()];
  const moves = rows.map((row) => meanMove(layers, 'values', row));
  const most = largestAt(moves);
  const weights =
    moves[most] > 0
      ? `weights move ${quoted(labels[most])} most, its key by ${percent(meanMove(layers, 'keys', most))} and its value by ${percent(moves[most])} of their lengths`
      : 'no weight moves a key or a value';
  return `In the mean of its ${layers.length} layers, the U-Net’s key of BOS is ${times('keys')} times and its value ${times('values')} times as long as those of the words; ${weights}.`;
}
