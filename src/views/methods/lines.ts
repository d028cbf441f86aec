import { methodNames } from '../../state/readOptions.ts';
import type { MethodName } from '../../weighting/methods.ts';

/** How a method is drawn: a colour for its family, a dash within it, and the number at the end of its curve. */
export interface LineStyle {
  readonly number: number;
  /** A CSS colour, for light and dark. */
  readonly colour: string;
  readonly dash: string | undefined;
}

const families = {
  plain: 'var(--muted)',
  a1111: 'light-dark(#1f5fbf, #8fc0ff)',
  compel: 'light-dark(#b85a00, #ffb566)',
  comfy: 'light-dark(#1a7046, #7fd6a8)',
  down: 'light-dark(#8a2f86, #e7a3e3)',
} as const;

const [solid, dashed, dotted] = [undefined, '8 3', '2 3'];

const drawn: Readonly<Record<MethodName, readonly [family: keyof typeof families, dash: string | undefined]>> = {
  none: ['plain', solid],
  scale: ['a1111', dotted],
  original: ['a1111', solid],
  'compel-mask': ['compel', solid],
  'compel-remove': ['compel', dashed],
  comfy: ['comfy', solid],
  'adv-a1111': ['a1111', dashed],
  'adv-compel': ['compel', dotted],
  'adv-comfy++': ['comfy', dashed],
  'adv-down-weight': ['down', solid],
};

export function lineOf(name: MethodName): LineStyle {
  const [family, dash] = drawn[name];
  return { number: methodNames.indexOf(name) + 1, colour: families[family], dash };
}
