import type { EncoderPass } from '../clip/encoderPass.ts';
import { type RowEffects, rowEffects, withKeyMasked } from '../clip/maskEffects.ts';
import { encoderPass, type MaskMode, maskModes } from '../clip/masks.ts';
import type { PreparedChunk } from '../road/preparedPrompt.ts';
import { distinct } from '../weighting/method.ts';
import { encodedZ } from './encoded.ts';
import type { Facts } from './facts.ts';
import { memoised } from './memoised.ts';
import { shownChunk } from './reading.ts';

/** One mask, and what it does to the encoder's output. */
export interface MaskTrial {
  readonly pass: EncoderPass;
  /** The change of each row; undefined while the pass, or the one it is compared with, is not encoded. */
  readonly effects: RowEffects | undefined;
}

/** The chunk on show under other masks. */
export interface MaskLab {
  /** Each mask compared with `causal`. */
  readonly modes: Readonly<Record<MaskMode, MaskTrial>>;
  /** The pass on show with some keys masked, against that pass; null where no key is chosen. */
  readonly masked: MaskTrial | null;
  /** The largest finite change of all, at which a shared scale ends. */
  readonly most: number;
  /** How many passes are encoded, out of `total`. */
  readonly encoded: number;
  readonly total: number;
  /**
   * The passes that are there and the next one: asked for one by one, each comes as soon as it can, and takes over the rows
   * that it shares with the one before.
   */
  readonly next: readonly EncoderPass[];
}

interface LabPasses {
  readonly shown: EncoderPass;
  readonly modes: Readonly<Record<MaskMode, EncoderPass>>;
  readonly masked: EncoderPass | null;
}

function byMode<T>(of: (mode: MaskMode) => T): Record<MaskMode, T> {
  return Object.fromEntries(maskModes.map((mode) => [mode, of(mode)])) as Record<MaskMode, T>;
}

const labPasses = memoised((shown: EncoderPass, eos: number, keys: readonly number[]): LabPasses => {
  const known = keys.filter((key) => key < shown.inputIds.length);
  return {
    shown,
    modes: byMode((mode) => ({ ...shown, ...encoderPass(shown.inputIds, mode, eos < 0 ? undefined : eos) })),
    masked: known.length > 0 ? known.reduce(withKeyMasked, shown) : null,
  };
});

type Z = Float32Array | undefined;

const compared = memoised((passes: LabPasses, shown: Z, masked: Z, ...ofModes: Z[]): MaskLab => {
  const L = passes.shown.inputIds.length;
  const trial = (pass: EncoderPass, z: Z, reference: Z): MaskTrial => ({
    pass,
    effects: z && reference && rowEffects(z, reference, L),
  });
  const zOf = byMode((mode) => ofModes[maskModes.indexOf(mode)]);
  const modes = byMode((mode) => trial(passes.modes[mode], zOf[mode], zOf.causal));
  const ofMasked = passes.masked && trial(passes.masked, masked, shown);
  const found = [...Object.values(modes), ...(ofMasked ? [ofMasked] : [])].flatMap(({ effects }) =>
    effects ? [...effects.relative].filter(Number.isFinite) : [],
  );
  // The keys were chosen last, so they come first.
  const order = distinct([passes.shown, ...(passes.masked ? [passes.masked] : []), ...Object.values(passes.modes)]);
  const there = new Map<EncoderPass, Z>([
    ...maskModes.map((mode) => [passes.modes[mode], zOf[mode]] as const),
    [passes.shown, shown],
    ...(passes.masked ? [[passes.masked, masked] as const] : []),
  ]);
  const isThere = (pass: EncoderPass) => there.get(pass) !== undefined;
  const missing = order.find((pass) => !isThere(pass));
  const encoded = order.filter(isThere);
  return {
    modes,
    masked: ofMasked,
    most: Math.max(0, ...found),
    encoded: encoded.length,
    total: order.length,
    next: missing ? [...encoded, missing] : encoded,
  };
});

const eosOf = ({ chunk }: PreparedChunk) => chunk.tokens.findIndex(({ kind }) => kind === 'eos');

/** The chunk on show under each mask mode, and with these keys masked; undefined until the tokenizer is loaded. */
export function maskLab(facts: Facts, keys: readonly number[]): MaskLab | undefined {
  const chunk = shownChunk(facts);
  if (!chunk) return undefined;
  const passes = labPasses(chunk.pass, eosOf(chunk), keys);
  const z = (pass: EncoderPass | null) => (pass ? encodedZ(facts, [pass])?.(pass) : undefined);
  return compared(passes, z(passes.shown), z(passes.masked), ...maskModes.map((mode) => z(passes.modes[mode])));
}
