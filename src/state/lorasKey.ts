import type { LoraUse } from '../worker/messages.ts';

/** A text that is the same for the same LoRAs by the same multipliers in the same order; empty without any. */
export const lorasKey = (uses: readonly LoraUse[]): string =>
  uses.map(({ lora, multiplier }) => `${lora}:${multiplier}`).join(' ');
