import { parseA1111 } from './a1111/emphasis.ts';
import type { ParsedPrompt } from './ast.ts';
import { parseComfy } from './comfy/comfyPrompt.ts';
import { type Chooser, readDynamicPrompt } from './comfy/dynamicPrompt.ts';
import { placed } from './comfy/placed.ts';
import { parseCompel } from './compel/compelPrompt.ts';
import type { Syntax } from './syntax.ts';

/**
 * Weights alone: A1111's networks, schedules, AND and comments are read by a1111Prompt.ts. With a `chooser` ComfyUI's prompts
 * are those of its page.
 */
export function parsePrompt(source: string, syntax: Syntax, chooser?: Chooser): ParsedPrompt {
  switch (syntax) {
    case 'a1111':
      return parseA1111(source);
    case 'compel':
      return parseCompel(source);
    case 'comfy':
      return chooser ? parsePagePrompt(source, chooser) : parseComfy(source);
    default:
      return syntax satisfies never;
  }
}

function parsePagePrompt(source: string, chooser: Chooser): ParsedPrompt {
  const { text, isAsTyped, comments, choices } = readDynamicPrompt(source, chooser);
  const parsed = parseComfy(text.text);
  return { ...(isAsTyped ? parsed : placed(parsed, text, source)), page: { comments, choices } };
}
