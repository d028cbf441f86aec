/**
 * Finds the prompts for which a stage's time grows fastest with the prompt's length.
 *
 * Processor time is compared, since other work on the machine takes none of it, and always for as many characters in all: one
 * long prompt against several short ones, each prepared for itself. So both make as much garbage, reach as far beyond the caches, and
 * are as long against the clock's steps. The best of several tries counts. Node has to run with --expose-gc and with room for all that
 * a try makes (package.json), so that nothing is collected within it.
 */
import { PromptBoundError } from '../prompt/bounds.ts';
import type { Family } from './promptFamilies.ts';
import type { Stage } from './promptStages.ts';

/** UTF-16 units of the prompts by which the exponent is told, the longest first. */
const lengths = [64_000, 22_600, 8000] as const;
/** Families that are looked at closely, for each stage. */
const closely = 2;
/** Milliseconds, half a frame: of stages that take less for the longest prompt no exponent is told. Pages of memory make up most of that. */
const leastMilliseconds = 8;
/** An exponent over this is too much. */
export const highestExponent = 1.2;

/** The growth of a stage's time over one family: about length ** exponent. */
export interface Growth {
  readonly family: string;
  readonly exponent: number;
  /** For a prompt of 64,000 characters. */
  readonly milliseconds: number;
}

/** The time of a stage for prompts of one length. */
interface Timing {
  readonly length: number;
  /** Milliseconds for so many prompts as have the characters of the longest together. */
  milliseconds: number;
}

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds that a stage computes to read `characters` in prompts of one length; null where a bound keeps them from being read. */
function timeOf(stage: Stage, family: Family, length: number, characters: number): number | null {
  try {
    const prompt = family.prompt(length);
    const count = Math.round(characters / length);
    // One prompt that is read again and again would stay in the caches, where a long one has no room.
    const runs = Array.from({ length: count }, () => stage.prepare(prompt));
    globalThis.gc?.({ type: 'minor', execution: 'sync' });
    const before = processorTime();
    for (const run of runs) run();
    return ((processorTime() - before) * characters) / (count * prompt.length);
  } catch (error) {
    if (error instanceof PromptBoundError) return null;
    throw error;
  }
}

/** How many times as long one prompt takes as eight of an eighth of its length; null where that is too short to tell, or a bound keeps it from being read. */
function excessAt(length: number, stage: Stage, family: Family): number | null {
  const long = timeOf(stage, family, length, length);
  if (long === null || long < (leastMilliseconds * length) / lengths[0]) return null;
  const short = timeOf(stage, family, length / 8, length);
  return short === null ? null : long / Math.max(short, 0.1);
}

/** The slope of log time over log length, by least squares, of the time for one prompt. */
function exponentOf(timings: readonly Timing[]): number {
  const xs = timings.map(({ length }) => Math.log(length));
  const ys = timings.map(({ milliseconds, length }) => Math.log(milliseconds * length));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const products = xs.map((value, i) => (value - x) * (ys[i] - y));
  return mean(products) / mean(xs.map((value) => (value - x) ** 2));
}

/** Times a stage for each length; where the exponent is high, again and again, as a disturbance would pass for growth. */
function closeLook(stage: Stage, family: Family): Growth | null {
  const timings: Timing[] = lengths.map((length) => ({ length, milliseconds: Number.POSITIVE_INFINITY }));
  for (let tries = 1; tries <= 12; tries++) {
    for (const timing of timings) {
      const milliseconds = timeOf(stage, family, timing.length, lengths[0]);
      if (milliseconds === null) return null;
      timing.milliseconds = Math.min(timing.milliseconds, milliseconds);
    }
    if (timings[0].milliseconds < leastMilliseconds) return null;
    if (tries > 1 && exponentOf(timings) <= highestExponent) break;
  }
  return { family: family.name, exponent: exponentOf(timings), milliseconds: timings[0].milliseconds };
}

/**
 * Gives the fastest growth among the families; null where all of them are read too quickly to tell. They are chosen by the
 * growth up to prompts of `screened` characters.
 */
export function fastestGrowth(stage: Stage, families: readonly Family[], screened: number): Growth | null {
  const candidates = families.flatMap((family) => {
    const excess = excessAt(screened, stage, family);
    if (excess === null) return [];
    const again = excess > 1.25 ? excessAt(screened, stage, family) : excess;
    return again === null ? [] : [{ family, excess: Math.min(excess, again) }];
  });
  return (
    candidates
      .sort((a, b) => b.excess - a.excess)
      .slice(0, closely)
      .flatMap(({ family }) => closeLook(stage, family) ?? [])
      .sort((a, b) => b.exponent - a.exponent)
      .at(0) ?? null
  );
}
