import { original } from './a1111.ts';
import { advA1111, advComfyPlusPlus, advCompel, advDownWeight } from './adv.ts';
import { comfy } from './comfy.ts';
import { compelMask, compelRemove } from './compel.ts';
import type { Method } from './method.ts';
import { scaled, unscaled } from './scale.ts';

/**
 * Every weighting method by name. `scale` is the lecture's eq. (14) and A1111's "No norm", `original` A1111's default,
 * `none` its "Ignore" and "None"; `comfy` is also ADV's.
 */
export const methods = {
  none: unscaled,
  scale: scaled,
  original,
  'compel-mask': compelMask,
  'compel-remove': compelRemove,
  comfy,
  'adv-a1111': advA1111,
  'adv-compel': advCompel,
  'adv-comfy++': advComfyPlusPlus,
  'adv-down-weight': advDownWeight,
} as const satisfies Record<string, Method>;

export type MethodName = keyof typeof methods;
