/** Finds the prompts for which a stage's time grows fastest with the prompt's length. */
import { PromptBoundError } from '../prompt/bounds.ts';
import type { Family } from './promptFamilies.ts';
import type { Stage } from './promptStages.ts';

/** UTF-16 units of the prompts by which the families are chosen that are looked at closely. */
const [short, long] = [1000, 4000];
/** UTF-16 units of the prompts by which the exponent is told. */
const lengths = [4000, 8000, 16_000, 32_000, 64_000];
/** Families that are looked at closely, for each stage. */
const closely = 2;
/** Milliseconds; the exponent is told by longer times alone, and families are chosen by times longer than the noise. */
const leastMilliseconds = 2;
const noise = 0.2;
/** Milliseconds; a longer time is told well enough by one try. */
const enough = 60;

/** The growth of a stage's time over one family: about length ** exponent. */
export interface Growth {
  readonly family: string;
  readonly exponent: number;
  /** Length of the longest prompt that was read, and the time for it. */
  readonly length: number;
  readonly milliseconds: number;
}

/** Milliseconds that this process computes for a stage, at best, of fewer tries where one takes long; null where a bound keeps the prompt from being read. */
function timeOf(stage: Stage, prompt: string, tries: number): number | null {
  try {
    const run = stage.prepare(prompt);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < tries && (i === 0 || best < enough); i++) {
      const before = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, (user + system) / 1000);
    }
    return best;
  } catch (error) {
    if (error instanceof PromptBoundError) return null;
    throw error;
  }
}

/** The slope of log time over log length, by least squares. */
function exponentOf(points: readonly { readonly length: number; readonly milliseconds: number }[]): number {
  const xs = points.map(({ length }) => Math.log(length));
  const ys = points.map(({ milliseconds }) => Math.log(milliseconds));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const products = xs.map((value, i) => (value - x) * (ys[i] - y));
  return mean(products) / mean(xs.map((value) => (value - x) ** 2));
}

/** How many times as long a stage takes for a prompt that is longer; null where a bound keeps it from being read. */
function growthOver(stage: Stage, family: Family): number | null {
  const times = [short, long].map((length) => timeOf(stage, family.prompt(length), 1));
  const [first, second] = times;
  return first === null || second === null || second < noise ? null : second / Math.max(first, noise / 4);
}

/** Gives the fastest growth among the families; null where all of them are read too quickly to tell. */
export function fastestGrowth(stage: Stage, families: readonly Family[]): Growth | null {
  const candidates = families.flatMap((family) => {
    const growth = growthOver(stage, family);
    if (growth === null) return [];
    // A pause of the machine would pass for growth.
    const again = growth > 1.2 * (long / short) ? growthOver(stage, family) : growth;
    return again === null ? [] : [{ family, growth: Math.min(growth, again) }];
  });
  const grown = candidates
    .sort((a, b) => b.growth - a.growth)
    .slice(0, closely)
    .flatMap(({ family }): Growth[] => {
      const points = lengths.flatMap((length) => {
        const milliseconds = timeOf(stage, family.prompt(length), 3);
        return milliseconds === null || milliseconds < leastMilliseconds ? [] : [{ length, milliseconds }];
      });
      const last = points.at(-1);
      return last && points.length > 2 ? [{ family: family.name, exponent: exponentOf(points), ...last }] : [];
    });
  return grown.sort((a, b) => b.exponent - a.exponent).at(0) ?? null;
}
