/** Everything that can be chosen in the objective lab, and its part of the page's address. */

import type { LiveKnobs, LiveSettings } from '../../training/liveRun.ts';
import type { WatchedBatch } from '../../worker/lab/labMessages.ts';
import { type LabParameters, numberFrom, oneOf, readLabValues } from './labParameters.ts';

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

/** Settings as they are at first for a run from this model. */
const firstFrom = (from: LiveSettings['from'] = 'scratch'): LabSettings =>
  from === 'shipped' ? { ...defaultLab, from, learningRate: shippedRate } : defaultLab;

/** Settings whose parts go together: the shipped model has CLIP's objective. */
const agreeing = (settings: LabSettings): LabSettings =>
  settings.from === 'shipped' && settings.objective === 'siglip' ? { ...settings, objective: 'clip' } : settings;

/** Settings after a change. To start from the other model chooses its learning rate, too; the sigmoid starts from scratch. */
export function changedSettings(before: LabSettings, changes: Partial<LabSettings>): LabSettings {
  const from = changes.objective === 'siglip' ? 'scratch' : (changes.from ?? before.from);
  const { learningRate } = from === before.from ? before : firstFrom(from);
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

/** τ as a hand sets it. */
const byHand = numberFrom(leastTemperature, mostTemperature);
/** Settings by their names in an address. */
const parameters: LabParameters<LabSettings> = {
  seed: numberFrom(0, 2 ** 31 - 1, true),
  batch: oneOf(...batchSizes),
  objective: oneOf('clip', 'siglip'),
  captions: oneOf('brief', 'training'),
  from: oneOf('scratch', 'shipped'),
  learningRate: numberFrom(1e-6, 1),
  side: oneOf('both', 'text', 'image'),
  temperature: {
    takes: `learned, frozen or ${byHand.takes}`,
    read: (text) => oneOf('learned', 'frozen').read(text) ?? byHand.read(text),
  },
  layer: oneOf(...labLayers),
  watched: oneOf('fixed', 'step'),
  isSlow: oneOf(true, false),
};
export const settingNames = Object.keys(parameters) as (keyof LabSettings)[];

/** The part of an address after `#view=…` that has the settings: those that are not as they are at first. */
export function labAddress(settings: LabSettings): string {
  const first = { ...firstFrom(settings.from), from: defaultLab.from };
  return settingNames
    .filter((name) => settings[name] !== first[name])
    .map((name) => `&lab.${name}=${settings[name]}`)
    .join('');
}

/**
 * Reads the settings of an address; what is missing or wrong is as it is at first. Each of `problems` is a clause that says what
 * the link has wrong, and what is taken instead.
 */
export function readLabAddress(hash: string): { readonly settings: LabSettings; readonly problems: readonly string[] } {
  const { values, wrong } = readLabValues(hash, parameters);
  const settings = agreeing({ ...firstFrom(values.from), ...values });
  const problems = wrong.map(({ name, clause }) => `${clause}; ${settings[name]} is taken instead`);
  if (values.objective && values.objective !== settings.objective)
    problems.push(
      `has “${values.objective}” for “lab.objective”, which does not go with “lab.from=${settings.from}”; ${settings.objective} is taken instead`,
    );
  return { settings, problems };
}
