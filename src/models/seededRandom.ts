import { cosineOfHalfTurn, log } from './elementary.ts';

/**
 * Draws that are the same bits in every engine: 32-bit integer steps, then only + − × ÷, which IEEE 754 rounds in one way.
 * Math.log, sin, cos, exp and pow may differ in the last bit from engine to engine, so whoever draws by it calls none of them.
 */
export interface Random {
  /** An integer of 0 … 2³² − 1. */
  uint32(): number;
  /** A number of [0, 1), a multiple of 2⁻³². */
  uniform(): number;
  /** A number of [low, high). */
  between(low: number, high: number): number;
  /** An integer of 0 … count − 1. */
  below(count: number): number;
  /** True in the given share of draws. */
  chance(share: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** A number of (−1, 1) with a triangular density, highest at 0: a spread with ends, which a judge can hold it to. */
  spread(): number;
}

/**
 * The generator sfc32. `stream` makes independent draws of one seed: with the number of a training step in it, a run can be
 * resumed at any step without a stored state. Both are read as 32-bit integers.
 */
export function createRandom(seed: number, stream = 0): Random {
  let a = seed >>> 0;
  let b = stream >>> 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const uint32 = () => {
    const sum = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + sum) >>> 0;
    return sum;
  };
  // Seeds that differ in one bit are alike for some steps.
  for (let i = 0; i < 15; i++) uint32();
  const uniform = () => uint32() / 4294967296;
  const below = (count: number) => Math.floor(uniform() * count);
  return {
    uint32,
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    below,
    chance: (share) => uniform() < share,
    pick: (list) => list[below(list.length)],
    spread: () => uniform() + uniform() - 1,
  };
}

/** True in the given share of draws; without a share it is false, and takes no draw. */
export const happens = (random: Random, share: number | undefined): boolean =>
  share !== undefined && random.chance(share);

/** A normally distributed number, by Box and Muller: mean 0, deviation 1. */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * log(1 - random.uniform()));
  return radius * cosineOfHalfTurn(random.uniform());
}
