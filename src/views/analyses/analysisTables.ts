/** The numbers that analyses found, as tables to be saved. */
import type { Ablations } from '../../analyses/ablation.ts';
import type { ConditioningShares } from '../../analyses/conditioningShares.ts';
import type { LayerTravel } from '../../analyses/layerTravel.ts';
import type { TakenContext } from '../../analyses/leakage.ts';
import type { Sinks } from '../../analyses/sinks.ts';
import type { EncodedState, StateComparison } from '../../analyses/stateComparison.ts';
import type { LayerReads } from '../../analyses/unetReads.ts';
import type { WordEffect } from '../../analyses/wordEffects.ts';
import type { LabelledTable } from '../../files/csv.ts';
import type { AnalysisSubject, VariantTurns } from '../../state/promptAnalyses.ts';

/** Tokens and words of one text have names of their own by their places. */
const placed = (texts: readonly string[]) => texts.map((text, place) => `${place} ${text}`);
const counted = (name: string, count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `${name} ${i + from}`);
const arrays = (rows: readonly ArrayLike<number>[]) => rows.map((row) => Array.from(row));
const wordsOf = ({ items }: AnalysisSubject) => placed(items.map(({ text }) => text));

export function sharesTables({ labels }: AnalysisSubject, found: ConditioningShares): LabelledTable[] {
  const { shares, distances, lengths, turns } = found;
  return [
    {
      name: 'Share of ‖C − C_empty‖²',
      rows: ['BOS', 'words', 'EOS', 'PAD'],
      columns: ['share'],
      values: [[shares.bos], [shares.text], [shares.eos], [shares.pad]],
    },
    {
      name: 'Row by row, against the empty prompt',
      rows: placed(labels),
      columns: ['‖C − C_empty‖', '‖C‖', '1 − cos'],
      values: labels.map((_, row) => [distances[row], lengths[row], turns[row]]),
    },
  ];
}

export function wordsTables(of: AnalysisSubject, effects: readonly WordEffect[]): LabelledTable[] {
  const shared = { rows: wordsOf(of), columns: placed(of.labels) };
  const cannot = (word: number, row: number) => of.pass.causal && row < of.items[word].rows[0];
  return [
    {
      ...shared,
      name: '‖ΔC‖ where a word is left out',
      values: effects.map(({ hidden }, word) =>
        Array.from(hidden, (change, row) => (cannot(word, row) ? null : change)),
      ),
    },
    { ...shared, name: '‖ΔC‖ where a word is said first', values: arrays(effects.map(({ first }) => first)) },
    {
      name: '‖ΔC‖ of all other rows',
      rows: shared.rows,
      columns: ['left out', 'said first'],
      values: effects.map(({ hiddenTotal, firstTotal }) => [hiddenTotal, firstTotal]),
    },
  ];
}

export function leakageTables(of: AnalysisSubject, taken: readonly TakenContext[]): LabelledTable[] {
  const words = wordsOf(of);
  return [
    {
      name: 'With and without the others',
      rows: words,
      columns: ['‖Δ‖', '‖z‖', '1 − cos'],
      values: taken.map(({ distance, length, turn }) => [distance, length, turn]),
    },
    {
      name: 'Change of the row’s word without the column’s, ‖Δ‖',
      rows: words,
      columns: words,
      values: taken.map(({ from }, taker) => from.map((change, giver) => (giver === taker ? null : change))),
    },
  ];
}

export function variantsTables(variants: readonly VariantTurns[]): LabelledTable[] {
  const rows = variants.map(({ name }) => name);
  return [
    { name: 'Text', rows, columns: ['text'], values: variants.map(({ text }) => [text]) },
    {
      name: '1 − cos at EOS',
      rows,
      columns: counted('after layer', variants[0].turns.length, 0),
      values: arrays(variants.map(({ turns }) => turns)),
    },
  ];
}

export function layersTables({ labels }: AnalysisSubject, found: LayerTravel): LabelledTable[] {
  const { left, attention, mlp, massive } = found;
  const columns = placed(labels);
  const rows = counted('layer', attention.length);
  return [
    { name: 'Way still to go', rows: counted('after layer', left.length, 0), columns, values: arrays(left) },
    { name: 'Attention adds', rows, columns, values: arrays(attention) },
    { name: 'The MLP adds', rows, columns, values: arrays(mlp) },
    {
      name: 'Massive numbers',
      rows: massive.map(({ dimension }) => `dimension ${dimension}`),
      columns: ['after layer', 'token', 'number', 'times the median'],
      values: massive.map(({ state, row, value, ratio }) => [state, columns[row], value, ratio]),
    },
  ];
}

export function sinksTables({ heads }: Sinks): LabelledTable[] {
  const measures = [
    { name: 'Attention on BOS', key: 'attention' },
    { name: 'BOS’s share of ‖α v W_O‖', key: 'weighted' },
    { name: 'Added beside BOS, of the stream', key: 'adds' },
  ] as const;
  return measures.map(({ name, key }) => ({
    name,
    rows: counted('layer', heads.length),
    columns: counted('head', heads[0]?.length ?? 0),
    values: heads.map((of) => of.map((head) => head[key])),
  }));
}

export function ablationTables({ labels }: AnalysisSubject, { heads, mlps, length }: Ablations): LabelledTable[] {
  const rows = counted('layer', heads.length);
  const parts = [...counted('head', heads[0].length), 'MLP'];
  const effects = heads.map((of, layer) => [...of, mlps[layer]]);
  return [
    {
      name: '‖ΔC‖ of all rows, of ‖C‖',
      rows,
      columns: parts,
      values: effects.map((of) => of.map(({ total }) => (total === null ? null : total / length))),
    },
    {
      name: '‖ΔC‖ of each row',
      rows: rows.flatMap((layer) => parts.map((part) => `${layer}, ${part}`)),
      columns: placed(labels),
      values: effects.flatMap((of) => of.map((effect) => effect.rows)),
    },
  ];
}

export function comparisonTables(
  { labels }: EncodedState,
  { pairs, stages }: StateComparison,
  stageNames: readonly string[],
): LabelledTable[] {
  const columns = pairs.map(([row]) => `${row} ${labels[row]}`);
  return [{ name: '‖Δ‖, of A’s row', rows: stageNames, columns, values: stages }];
}

export function unetTables(labels: readonly string[], layers: readonly LayerReads[]): LabelledTable[] {
  const parts = [
    { part: 'keys', letter: 'K' },
    { part: 'values', letter: 'V' },
  ] as const;
  const whens = [
    { when: 'before', name: (letter: string) => `‖${letter}‖ without weights` },
    { when: 'after', name: (letter: string) => `‖${letter}‖ as weighted` },
    { when: 'moved', name: (letter: string) => `‖Δ${letter}‖ / ‖${letter}‖ by weights` },
  ] as const;
  return parts.flatMap(({ part, letter }) =>
    whens.map(({ when, name }) => ({
      name: name(letter),
      rows: layers.map((layer) => layer.name),
      columns: placed(labels),
      values: arrays(layers.map((layer) => layer[part][when])),
    })),
  );
}
