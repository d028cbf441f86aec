/** Parameters of the lab in the page's address, such as `&lab.seed=2`: how they are read, and what is said of those that are wrong. */

import { shortened } from '../shared.ts';

/** A parameter of one name. */
export interface LabParameter<T> {
  /** The values that it takes, as the end of a sentence: "one of 8, 16". */
  readonly takes: string;
  /** Gives undefined for a text that is no such value. */
  read(text: string): T | undefined;
}

/** The parameters of settings that stand together, each by its name after `lab.`. */
export type LabParameters<T> = { readonly [Name in keyof T]: LabParameter<T[Name]> };

/** The values that an address has, and a clause for each parameter whose value is none: "has “33” for “lab.batch”, …". */
export interface LabValues<T> {
  readonly values: Partial<T>;
  readonly wrong: readonly { readonly name: keyof T; readonly clause: string }[];
}

/** The lab's parameters in an address from `#` on, in its order: names after `lab.`, and values as they are written there. */
export const labPairs = (hash: string): readonly (readonly [name: string, text: string])[] =>
  Array.from(hash.matchAll(/[#&]lab\.([^&=]*)=?([^&]*)/g), ([, name, text]) => [name, text] as const);

/** Reads those of an address that are among `parameters`; the first where there are several of one name. */
export function readLabValues<T extends object>(hash: string, parameters: LabParameters<T>): LabValues<T> {
  const given = new Map(labPairs(hash).toReversed());
  const values: Partial<T> = {};
  const wrong: { name: keyof T; clause: string }[] = [];
  for (const name of Object.keys(parameters) as (keyof T & string)[]) {
    const text = given.get(name);
    if (text === undefined) continue;
    const { takes, read } = parameters[name];
    const value = read(text);
    if (value !== undefined) values[name] = value;
    else wrong.push({ name, clause: `has “${shortened(text)}” for “lab.${name}”, which takes ${takes}` });
  }
  return { values, wrong };
}

/** One of these values, as an address writes them. */
export function oneOf<const T>(...values: readonly T[]): LabParameter<T> {
  return { takes: `one of ${values.join(', ')}`, read: (text) => values.find((value) => String(value) === text) };
}

/** A number of these bounds. */
export function numberFrom(least: number, most: number, isWhole = false): LabParameter<number> {
  return {
    takes: `a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`,
    read(text) {
      const value = Number(text);
      const isRight = /^[\d.e-]+$/.test(text) && value >= least && value <= most;
      return isRight && (!isWhole || Number.isInteger(value)) ? value : undefined;
    },
  };
}
