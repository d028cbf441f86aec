/** From runs to lines: no DOM. */

import { exp, log } from '../../models/elementary.ts';
import type { LabRecord } from '../../state/lab/labStore.ts';
import type { LiveMeasures } from '../../training/liveMeasures.ts';
import type { LiveStep } from '../../training/liveRun.ts';
import { type FoilKind, foilKinds } from '../../world/description.ts';

/** Points over pairs seen. */
export interface Line {
  readonly label: string;
  /** A CSS colour; earlier runs are grey. */
  readonly colour: string;
  readonly isDashed?: boolean;
  readonly xs: readonly number[];
  readonly ys: readonly number[];
}

export interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly domain: readonly [low: number, high: number];
  /** Lines that a curve is to be judged against. */
  readonly marks: readonly { readonly label: string; readonly at: number }[];
}

/** Points of a line at most: a pixel has room for one. */
const mostPoints = 300;

/** Means of as many points side by side as leave at most `most` of them. */
export function thinned(values: readonly number[], most = mostPoints): number[] {
  const width = Math.ceil(values.length / most);
  if (width <= 1) return [...values];
  return Array.from({ length: Math.ceil(values.length / width) }, (_, i) => {
    const part = values.slice(i * width, (i + 1) * width);
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
}

const colours = {
  first: 'light-dark(#1f5fbf, #8fc0ff)',
  second: 'light-dark(#b85a00, #ffb566)',
  third: 'light-dark(#1a7046, #7fd6a8)',
  fourth: 'light-dark(#8a2f7c, #eaa0dd)',
};
const grey = 'var(--muted)';

type Choice = readonly [label: string, colour: string, isDashed: boolean];

function stepLine(
  { settings, steps }: LabRecord,
  [label, colour, isDashed]: Choice,
  of: (step: LiveStep) => number,
): Line {
  return {
    ...{ label, colour, isDashed },
    xs: thinned(steps.map(({ step }) => step * settings.batch)),
    ys: thinned(steps.map(of)),
  };
}

function measureLine(
  { settings, measures }: LabRecord,
  [label, colour, isDashed]: Choice,
  of: (measures: LiveMeasures) => number,
): Line {
  return {
    ...{ label, colour, isDashed },
    xs: measures.map(({ step }) => step * settings.batch),
    ys: measures.map(of),
  };
}

/** A run in short: `N 32, softmax`. */
export const runName = ({ settings }: LabRecord): string =>
  `N ${settings.batch}, ${settings.objective === 'clip' ? 'softmax' : 'sigmoid'}`;

const foilColours: Readonly<Record<FoilKind, string>> = {
  'colours swapped': colours.first,
  'objects swapped': colours.second,
  'relation inverted': colours.third,
  'relation turned': colours.fourth,
};

/** R@1, the mean of both ways. */
const recall = ({ textToImage, imageToText }: LiveMeasures['seen']) => (textToImage + imageToText) / 2;

/** The charts of the run under way, with the runs before it in grey. */
export function labCharts(run: LabRecord, past: readonly LabRecord[]): Chart[] {
  const { batch, objective } = run.settings;
  const chance = log(batch);
  const old = <T>(line: (record: LabRecord, choice: Choice) => T) =>
    past.map((record) => line(record, [runName(record), grey, false]));
  const loss = (record: LabRecord, choice: Choice) => stepLine(record, choice, (step) => step.loss);
  const scale = (record: LabRecord, choice: Choice) => stepLine(record, choice, ({ logScale }) => exp(logScale));
  const seen = (record: LabRecord, choice: Choice) => measureLine(record, choice, (m) => recall(m.seen));
  const losses = [...old(loss), loss(run, [runName(run), colours.first, false])];
  const scales = [...old(scale), scale(run, [runName(run), colours.first, false])];
  const highest = (lines: readonly Line[], least: number) =>
    lines.reduce((high, { ys }) => ys.reduce((a, b) => Math.max(a, b), high), least);
  const most = highest(scales, 20);
  return [
    {
      title: 'Loss',
      lines: losses,
      domain: [0, 1.05 * highest(losses, objective === 'clip' ? chance : 1)],
      marks: objective === 'clip' ? [{ label: `chance: ln ${batch} = ${chance.toFixed(2)}`, at: chance }] : [],
    },
    {
      title: '1/τ, which is clamped at 100',
      lines: scales,
      domain: [0, most > 60 ? 105 : 1.1 * most],
      marks: most > 60 ? [{ label: 'clamp', at: 100 }] : [],
    },
    {
      title: 'Found first among 64 (R@1)',
      lines: [
        ...old(seen),
        seen(run, ['seen pairs', colours.first, false]),
        measureLine(run, ['pairs held out', colours.second, true], (m) => recall(m.heldOut)),
      ],
      domain: [0, 1],
      marks: [],
    },
    {
      title: 'Own caption preferred to one with …',
      lines: foilKinds.flatMap((kind) => [
        measureLine(run, [kind, foilColours[kind], false], (m) => m.seen.foils[kind]),
        measureLine(run, [`${kind}, held out`, foilColours[kind], true], (m) => m.heldOut.foils[kind]),
      ]),
      domain: [0, 1],
      marks: [{ label: 'chance', at: 0.5 }],
    },
  ];
}
