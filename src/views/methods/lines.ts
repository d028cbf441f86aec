import type { Family } from '../../weighting/method.ts';
import { type MethodName, methodNames, methods } from '../../weighting/methods.ts';

/** How a method is drawn: a colour for its family, a dash within it, and the number at the end of its curve. */
export interface LineStyle {
  readonly number: number;
  /** A CSS colour, for light and dark. */
  readonly colour: string;
  readonly dash: string | undefined;
}

const colours: Readonly<Record<Family, string>> = {
  plain: 'var(--muted)',
  a1111: 'light-dark(#1f5fbf, #8fc0ff)',
  compel: 'light-dark(#b85a00, #ffb566)',
  comfy: 'light-dark(#1a7046, #7fd6a8)',
  down: 'light-dark(#8a2f86, #e7a3e3)',
};

/** Dashes within a family: solid, dashed, dotted, and both. */
const dashes = [undefined, '8 3', '2 3', '8 3 2 3'];

/** Draws a program's own method solid, and the others of its family in the order of the list. */
export function lineOf(name: MethodName): LineStyle {
  const { family } = methods[name];
  const relatives = methodNames
    .filter((other) => methods[other].family === family)
    .sort((a, b) => Number(!methods[a].ownOf) - Number(!methods[b].ownOf));
  const dash = dashes[relatives.indexOf(name) % dashes.length];
  return { number: methodNames.indexOf(name) + 1, colour: colours[family], dash };
}
