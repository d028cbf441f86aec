import { readA1111Prompt, stepA1111Prompt } from '../a1111/a1111Prompt.ts';
import { lintA1111, lintComfy, lintCompel } from '../across/lint.ts';
import type { Diagnostic } from '../ast.ts';
import { parseComfy } from '../comfy/comfyPrompt.ts';
import { parseCompel } from '../compel/compelPrompt.ts';
import type { Syntax } from '../syntax.ts';

/** Reads a prompt, in A1111 for 20 steps, and lints it. */
export function lintOf(source: string, syntax: Syntax, role: 'positive' | 'negative' = 'positive'): Diagnostic[] {
  switch (syntax) {
    case 'a1111': {
      const prompt = readA1111Prompt(source, { role });
      return lintA1111(prompt, stepA1111Prompt(prompt, { steps: 20 }));
    }
    case 'compel':
      return lintCompel(parseCompel(source));
    case 'comfy':
      return lintComfy(parseComfy(source), false);
    default:
      return syntax satisfies never;
  }
}
