import { exp } from '../../models/elementary.ts';
import type { LiveMeasures } from '../../training/liveMeasures.ts';
import { type FoilKind, foilKinds } from '../../world/description.ts';
import type { LabRecord } from './labStore.ts';

const measureColumns = (['seen', 'heldOut'] as const).flatMap((set) => [
  { name: `${set} text to image R@1`, of: (m: LiveMeasures) => m[set].textToImage },
  { name: `${set} image to text R@1`, of: (m: LiveMeasures) => m[set].imageToText },
  ...foilKinds.map((kind: FoilKind) => ({ name: `${set} ${kind}`, of: (m: LiveMeasures) => m[set].foils[kind] })),
]);

const settingNames = ['seed', 'batch', 'objective', 'captions', 'from', 'learningRate', 'side', 'temperature'] as const;

const header = [
  'run',
  ...settingNames,
  ...['step', 'pairs', 'loss', 'diagonal probability', 'logit scale', 'logit bias', 'dL/d(log scale)', 'gradient norm'],
  ...measureColumns.map(({ name }) => name),
];

/** Runs as CSV, a line for each step that is kept; measures stand in the lines of the steps after which they were begun. */
export function runCsv(runs: readonly LabRecord[]): string {
  const lines = runs.flatMap(({ settings, steps, measures }, run) => {
    const measured = new Map(measures.map((m) => [m.step, m]));
    return steps.map(({ step, loss, diagonal, logScale, bias, dlogScale, gradientNorm }) => {
      const m = measured.get(step);
      return [
        run + 1,
        ...settingNames.map((name) => settings[name]),
        ...[step, step * settings.batch, loss, diagonal, exp(logScale), bias, dlogScale, gradientNorm],
        ...measureColumns.map(({ of }) => (m ? of(m) : '')),
      ].join(',');
    });
  });
  return `${[header.join(','), ...lines].join('\n')}\n`;
}
