import { type EncoderPass, passKey } from '../clip/encoderPass.ts';
import type { LoraUse } from '../worker/messages.ts';

const keys = new WeakMap<EncoderPass, string>();

/** passKey, computed once a pass. */
export function keyOf(pass: EncoderPass): string {
  const key = keys.get(pass) ?? passKey(pass);
  keys.set(pass, key);
  return key;
}

/** A text that is the same for the same LoRAs by the same multipliers in the same order; empty without any. */
export const lorasKey = (uses: readonly LoraUse[]): string =>
  uses.map(({ lora, multiplier }) => `${lora}:${multiplier}`).join(' ');
