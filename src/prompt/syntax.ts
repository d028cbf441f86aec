import { parseA1111 } from './a1111.ts';
import type { ParsedPrompt } from './ast.ts';

/** The languages a prompt can be written in. */
export const promptSyntaxes = ['a1111'] as const;
export type PromptSyntax = (typeof promptSyntaxes)[number];

export function parsePrompt(source: string, syntax: PromptSyntax): ParsedPrompt {
  switch (syntax) {
    case 'a1111':
      return parseA1111(source);
    default:
      return syntax satisfies never;
  }
}
