/** A sentence about a prompt, and the wording that such sentences share. */
import type { Range } from '../../prompt/ast.ts';
import { programs } from '../../prompt/syntax.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { number } from '../../weighting/wording.ts';

/** The questions that sentences answer, in the order in which they stand. */
export const sentenceKinds = ['weights', 'rest', 'attention', 'chunks', 'programs', 'mistakes', 'model'] as const;
export type SentenceKind = (typeof sentenceKinds)[number];

/** The place that "Show me" leads to: a view and what is chosen in it, or a place in the prompt. */
export type Lead =
  | {
      readonly view: 'weights' | 'tokens' | 'attention' | 'programs';
      /** Index of a chunk among the prompt's, and of a row in it. */
      readonly chunk?: number;
      readonly row?: number;
    }
  | { readonly view: 'prompt'; readonly range: Range };

export interface Sentence {
  readonly kind: SentenceKind;
  readonly text: string;
  /** The numbers in the text before they are rounded, in the order in which they stand there. */
  readonly numbers: readonly number[];
  /** Null where there is nothing to show. */
  readonly lead: Lead | null;
}

export function sentence(
  kind: SentenceKind,
  text: string,
  numbers: readonly number[] = [],
  lead: Lead | null = null,
): Sentence {
  return { kind, text, numbers, lead };
}

/** Writes a share in percent, to three digits. */
export function percent(share: number): string {
  return `${number(Number((100 * share).toPrecision(3)))} %`;
}

const longest = 40;

/** Quotes what was typed; of what is long, the beginning and the end. */
export function quoted(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return `“${line.length > longest ? `${line.slice(0, 24)} … ${line.slice(-12)}` : line}”`;
}

/** Lists some of many: `a, b and 3 more`. */
export function listed(all: readonly string[], most = 4): string {
  const shown = all.length > most ? [...all.slice(0, most), `${all.length - most} more`] : all;
  return shown.length > 1 ? `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}` : shown.join('');
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Names a method with its program, where it is the one of a program. */
export function methodTitle(name: MethodName): string {
  const { label, ownOf } = methods[name];
  if (!ownOf || label.startsWith(programs[ownOf])) return `“${label}”`;
  return `${programs[ownOf]}’s “${label}”`;
}
