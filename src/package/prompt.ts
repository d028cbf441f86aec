/**
 * `clipscope/prompt`: reads weighted prompts as A1111, Compel and ComfyUI read them. It needs no vocabulary and no model, and runs
 * wherever JavaScript does.
 */
import type { Diagnostic, Fragment, NetworkNode, Node, Range } from '../prompt/ast.ts';
import { applyEdits } from '../prompt/edits.ts';
import type { Side } from '../prompt/side.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { type ParseOptions, type PromptReading, type ReadingText, readPrompt } from './readPrompt.ts';

export { type Infotext, parseInfotext } from '../prompt/a1111/infotext.ts';
export { programs, type Syntax, syntaxes } from '../prompt/syntax.ts';
export type { Diagnostic, Fragment, NetworkNode, Node, ParseOptions, PromptReading, Range, ReadingText, Side };

/**
 * Parses a prompt. It throws for no text: one that is too long (64,000 characters) is read as the empty prompt, with a diagnostic
 * `not-read`. Throws RangeError for a `syntax` or an option that there is not.
 */
export function parse(source: string, syntax: Syntax, options: ParseOptions = {}): PromptReading {
  const { read: _, ...reading } = readPrompt(source, syntax, options);
  return reading;
}

/** Gives the prompt as a diagnostic's fix would mend it; unchanged where it has none. */
export function applyFix(source: string, { fix }: Diagnostic): string {
  return applyEdits(source, fix?.edits ?? []);
}
