import type { EncoderPass } from '../clip/encoderPass.ts';
import { attentionMask } from '../clip/masks.ts';

/** Rows (tokens) `first` to `end` (exclusive) of a pass. */
export interface RowSpan {
  readonly first: number;
  readonly end: number;
}

/** One step of an encode, timed. */
export interface ProfiledStep {
  /** In the model's own names: `layers.0.mlp.fc1`. */
  readonly label: string;
  readonly kernel: string;
  /** Time by the engine's own clock; null where that cannot be read. */
  readonly milliseconds: number | null;
  /** Multiplications and additions. */
  readonly flops: number;
  /** Bytes that have to be read and written, each once. */
  readonly bytes: number;
}

export interface Profile {
  readonly steps: readonly ProfiledStep[];
  /** Why there are no times; null where there are. */
  readonly noTimes: string | null;
}

/**
 * Averages profiles of the same steps, at least one. Browsers round clocks to a tenth of a millisecond; a mean of
 * several is more exact.
 */
export function meanProfile(profiles: readonly Profile[]): Profile {
  const [{ steps, noTimes }] = profiles;
  if (noTimes !== null) return profiles[0];
  const mean = (i: number) =>
    profiles.reduce((sum, profile) => sum + profile.steps[i].milliseconds!, 0) / profiles.length;
  return { noTimes, steps: steps.map((step, i) => ({ ...step, milliseconds: mean(i) })) };
}

/**
 * Counts what the queries `first` to `end` of a pass can see: pairs of a query and a key, and keys up to the last one that any
 * of the queries sees. Masked pairs are not computed.
 */
export function visibleKeys(
  pass: EncoderPass,
  { first, end }: RowSpan,
): { readonly pairs: number; readonly keys: number } {
  const L = pass.inputIds.length;
  const mask = attentionMask(pass);
  let [pairs, keys] = [0, 0];
  for (let at = first * L; at < end * L; at++)
    if (mask[at]) {
      pairs++;
      keys = Math.max(keys, (at % L) + 1);
    }
  return { pairs, keys };
}

/** Steps of one kind together. */
export interface ProfiledGroup {
  readonly name: string;
  readonly kernel: string;
  readonly steps: number;
  readonly milliseconds: number | null;
  /** Share of the time of all steps, 0 to 1. */
  readonly share: number | null;
  readonly flops: number;
  readonly bytes: number;
  readonly gflopsPerSecond: number | null;
  readonly gigabytesPerSecond: number | null;
}

/** Name of a step without its layer: `mlp.fc1`. */
export const stage = ({ label }: ProfiledStep): string => label.replace(/^layers\.\d+\./, '');

/** Adds steps up by kernel, or by what else `nameOf` tells apart, in the order in which each comes first. */
export function groupSteps(
  steps: readonly ProfiledStep[],
  nameOf: (step: ProfiledStep) => string = ({ kernel }) => kernel,
): ProfiledGroup[] {
  const groups = new Map<string, ProfiledStep[]>();
  for (const step of steps) groups.set(nameOf(step), [...(groups.get(nameOf(step)) ?? []), step]);
  const time = (timed: readonly ProfiledStep[]) =>
    timed.some(({ milliseconds }) => milliseconds === null)
      ? null
      : timed.reduce((sum, { milliseconds }) => sum + milliseconds!, 0);
  const total = time(steps);
  // Without a rate where the clock is too coarse for the step and says 0.
  const rate = (amount: number, milliseconds: number | null) => (milliseconds ? amount / milliseconds / 1e6 : null);
  return [...groups].map(([name, members]) => {
    const milliseconds = time(members);
    const flops = members.reduce((sum, step) => sum + step.flops, 0);
    const bytes = members.reduce((sum, step) => sum + step.bytes, 0);
    return {
      name,
      kernel: members[0].kernel,
      steps: members.length,
      milliseconds,
      share: total && milliseconds !== null ? milliseconds / total : null,
      flops,
      bytes,
      gflopsPerSecond: rate(flops, milliseconds),
      gigabytesPerSecond: rate(bytes, milliseconds),
    };
  });
}
