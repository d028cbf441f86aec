/** Everything that can be chosen in the objective lab, and its part of the page's address. */

import type { LiveKnobs, LiveSettings } from '../../training/liveRun.ts';
import type { WatchedBatch } from '../../worker/lab/labMessages.ts';

/** Matrices that are drawn on the cells of S. */
export const labLayers = ['cosine', 'logits', 'byRow', 'byColumn', 'sigmoid', 'gradient'] as const;
export type LabLayer = (typeof labLayers)[number];

export interface LabSettings extends LiveSettings, LiveKnobs {
  readonly layer: LabLayer;
  readonly watched: WatchedBatch;
  /** Whether each step is walked through: forward, loss, gradient. */
  readonly isSlow: boolean;
}

export const batchSizes = [8, 16, 32, 64, 128, 256] as const;
export const learningRates = [1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 1e-2, 3e-2] as const;

/** The bounds that open_clip clamps τ to. */
export const leastTemperature = 0.01;
export const mostTemperature = 1;

export const defaultLab: LabSettings = {
  ...{ seed: 1, batch: 32, objective: 'clip', captions: 'brief', from: 'scratch' },
  ...{ learningRate: 2e-3, side: 'both', temperature: 'learned' },
  ...{ layer: 'byRow', watched: 'fixed', isSlow: false },
};

/** The settings that a run cannot change: another value begins a new one. */
export const liveSettings = ({ seed, batch, objective, captions, from }: LiveSettings): LiveSettings => ({
  ...{ seed, batch, objective, captions, from },
});

/** A learning rate that leaves the shipped model what it knows. */
const shippedRate = 1e-4;

/** Settings whose parts go together: the shipped model has CLIP's objective. */
const agreeing = (settings: LabSettings): LabSettings =>
  settings.from === 'shipped' && settings.objective === 'siglip' ? { ...settings, objective: 'clip' } : settings;

/** Settings after a change. To start from the other model chooses its learning rate, too; the sigmoid starts from scratch. */
export function changedSettings(before: LabSettings, changes: Partial<LabSettings>): LabSettings {
  const from = changes.objective === 'siglip' ? 'scratch' : (changes.from ?? before.from);
  const learningRate =
    from === before.from ? before.learningRate : from === 'shipped' ? shippedRate : defaultLab.learningRate;
  return agreeing({ ...before, learningRate, ...changes, from });
}

/** A layer that the objective has: SigLIP has no softmax, CLIP no sigmoid. */
export function layersOf(objective: LiveSettings['objective']): readonly LabLayer[] {
  return objective === 'clip'
    ? ['cosine', 'logits', 'byRow', 'byColumn', 'gradient']
    : ['cosine', 'logits', 'sigmoid', 'gradient'];
}

/** The layer on show: the one that was chosen, or the one that takes its place where the objective has no such layer. */
export function shownLayer({ layer, objective }: Pick<LabSettings, 'layer' | 'objective'>): LabLayer {
  if (layersOf(objective).includes(layer)) return layer;
  return objective === 'clip' ? 'byRow' : 'sigmoid';
}

const oneOf =
  <T extends string>(...choices: readonly T[]) =>
  (text: string): T | undefined =>
    choices.find((choice) => choice === text);

/** A number of these bounds; undefined for all other texts. */
const numberIn =
  (least: number, most: number, isWhole = false) =>
  (text: string) => {
    const value = Number(text);
    return /^[\d.e-]+$/.test(text) && value >= least && value <= most && (!isWhole || Number.isInteger(value))
      ? value
      : undefined;
  };

/** The names that settings have in an address, and how their values are read: undefined for what is none. */
const readers: { readonly [Name in keyof LabSettings]: (text: string) => LabSettings[Name] | undefined } = {
  seed: numberIn(0, 2 ** 31 - 1, true),
  batch: (text) => batchSizes.find((size) => String(size) === text),
  objective: oneOf('clip', 'siglip'),
  captions: oneOf('brief', 'training'),
  from: oneOf('scratch', 'shipped'),
  learningRate: numberIn(1e-6, 1),
  side: oneOf('both', 'text', 'image'),
  temperature: (text) => oneOf('learned', 'frozen')(text) ?? numberIn(leastTemperature, mostTemperature)(text),
  layer: oneOf(...labLayers),
  watched: oneOf('fixed', 'step'),
  isSlow: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
};

const start = '&lab.';

/** The part of an address after `#view=…` that has the settings: those that are not as they are at first. */
export function labAddress(settings: LabSettings): string {
  const names = Object.keys(readers) as (keyof LabSettings)[];
  return names
    .filter((name) => settings[name] !== defaultLab[name])
    .map((name) => `${start}${name}=${settings[name]}`)
    .join('');
}

/** Reads the settings of an address; what is missing or wrong stays as it is at first. */
export function readLabAddress(hash: string): LabSettings {
  const read = Object.entries(readers).flatMap(([name, reader]) => {
    const [, text] = new RegExp(`${start.replace('.', '\\.')}${name}=([^&]*)`).exec(hash) ?? [];
    const value = text === undefined ? undefined : reader(text);
    return value === undefined ? [] : [[name, value]];
  });
  return agreeing({ ...defaultLab, ...Object.fromEntries(read) });
}
