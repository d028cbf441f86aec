import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { advA1111 } from './advA1111.ts';
import { advComfyPlusPlus } from './advComfyPlusPlus.ts';
import { advCompel } from './advCompel.ts';
import { advDownWeight } from './advDownWeight.ts';
import { comfy } from './comfy.ts';
import { compelMask } from './compelMask.ts';
import { compelRemove } from './compelRemove.ts';
import type { Method } from './method.ts';
import { none } from './none.ts';
import { original } from './original.ts';
import { psi } from './psi.ts';
import { scale } from './scale.ts';

/** Every weighting method, in the order of menus and tables: a new one is its file and a line here. */
const all = [
  none,
  scale,
  original,
  compelMask,
  compelRemove,
  comfy,
  advA1111,
  advCompel,
  advComfyPlusPlus,
  advDownWeight,
  psi,
] as const;

export type MethodName = (typeof all)[number]['name'];

export const methodNames: readonly MethodName[] = all.map(({ name }) => name);

export const methods = Object.fromEntries(all.map((method): [string, Method] => [method.name, method])) as Readonly<
  Record<MethodName, Method>
>;

/** The method of each program. */
export const ownMethod = Object.fromEntries(
  syntaxes.map((syntax) => [syntax, methodNames.find((name) => methods[name].ownOf === syntax)]),
) as Readonly<Record<Syntax, MethodName>>;
