/**
 * `clipscope/lint`: says what a program ignores, cuts off or reads otherwise than it may be meant, and mends it. Like
 * `clipscope/prompt` it needs no vocabulary.
 */
import { guessSyntax, type SyntaxGuess } from '../prompt/across/guessSyntax.ts';
import { lintA1111, lintComfy, lintCompel } from '../prompt/across/lint.ts';
import type { Diagnostic } from '../prompt/ast.ts';
import { byPlace } from '../prompt/diagnostics.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { onSource, type ParseOptions, type Read, readPrompt } from './readPrompt.ts';

export type { Diagnostic, ParseOptions, Syntax, SyntaxGuess };

/**
 * Lists all there is to say about a prompt, sorted by place: what `parse` says, marks of another program's language, and weights
 * that are likely a slip. Each has a stable `code`, a sentence, and edits that mend it where there are any. Throws as `parse` does.
 */
export function lint(source: string, syntax: Syntax, options: ParseOptions = {}): Diagnostic[] {
  const { diagnostics, read } = readPrompt(source, syntax, options);
  return [...diagnostics, ...(read ? advice(read) : [])].sort(byPlace);
}

function advice(read: Read): readonly Diagnostic[] {
  switch (read.syntax) {
    case 'a1111':
      return lintA1111(read.prompt, read.stepped);
    case 'compel':
      return lintCompel(read.parsed);
    case 'comfy':
      return onSource(read, lintComfy(read.parsed, read.dynamic !== undefined)).diagnostics;
    default:
      return read satisfies never;
  }
}

/**
 * Guesses the language of a prompt that was linted in another one, with the mark that says so. Null if it has marks of no other
 * language, or of several.
 */
export function guessLanguage(diagnostics: readonly Diagnostic[]): SyntaxGuess | null {
  return guessSyntax(diagnostics);
}
