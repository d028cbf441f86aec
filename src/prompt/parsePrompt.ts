import { parseA1111 } from './a1111/emphasis.ts';
import type { ParsedPrompt } from './ast.ts';
import { parseComfy } from './comfy/comfyPrompt.ts';
import { parseCompel } from './compel/compelPrompt.ts';
import type { Syntax } from './syntax.ts';

/** Weights alone: A1111's networks, schedules, AND and comments are read by a1111Prompt.ts. */
export function parsePrompt(source: string, syntax: Syntax): ParsedPrompt {
  switch (syntax) {
    case 'a1111':
      return parseA1111(source);
    case 'compel':
      return parseCompel(source);
    case 'comfy':
      return parseComfy(source);
    default:
      return syntax satisfies never;
  }
}
