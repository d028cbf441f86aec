/** Outputs that are made of other passes' outputs, row by row, before any method weighs them. */
import { basePass, type DerivedOutput, type EncoderPass } from '../clip/encoderPass.ts';
import type { ZOf } from './method.ts';

const made = new WeakMap<EncoderPass, DerivedOutput>();
const known = new WeakMap<EncoderPass, { readonly of: readonly Float32Array[]; readonly z: Float32Array }>();

/** Gives the output for a pass, [L, d]: the encoder's, or the one that is made of those of other passes. */
export function outputOf(pass: EncoderPass, zOf: ZOf): Float32Array {
  if (!pass.derived) return zOf(pass);
  const derived = made.get(pass) ?? pass.derived.of(basePass(pass));
  made.set(pass, derived);
  const of = derived.from.map(zOf);
  const before = known.get(pass);
  if (before?.of.every((z, i) => z === of[i])) return before.z;
  const z = derived.make(of);
  known.set(pass, { of, z });
  return z;
}
