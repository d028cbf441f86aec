import type { Diagnostic } from '../ast.ts';
import { type Syntax, syntaxes } from '../syntax.ts';

const marksOf: Readonly<Record<Syntax, readonly string[]>> = {
  a1111: [
    'a1111-weight',
    'a1111-word',
    'a1111-tag',
    'a1111-comment',
    'a1111-escape',
    'and-for-break',
    'square-brackets',
  ],
  compel: ['compel-weight', 'compel-operator', 'compel-lora'],
  comfy: ['comfy-embedding'],
};

/** A language that a prompt looks to be written in, and the first mark that says so. */
export interface SyntaxGuess {
  readonly syntax: Syntax;
  readonly because: Diagnostic;
}

/**
 * Finds the languages of which a prompt has marks, each with the one that is typed first. `diagnostics` are lists of the
 * parser's and the linter's, in any order.
 */
export function foreignMarks(diagnostics: readonly (readonly Diagnostic[])[]): readonly SyntaxGuess[] {
  return syntaxes.flatMap((syntax) => {
    let because: Diagnostic | undefined;
    let isSaid = false;
    for (const list of diagnostics) {
      for (const diagnostic of list) {
        const { code, severity, start } = diagnostic;
        if (!marksOf[syntax].includes(code)) continue;
        // `A+` alone says little.
        isSaid ||= code !== 'compel-weight' || severity !== 'info';
        if (!because || start < because.start) because = diagnostic;
      }
    }
    return because && isSaid ? [{ syntax, because }] : [];
  });
}

/**
 * Guesses the language of a prompt that was read in another one. `diagnostics` are its parser's and its linter's. Null if
 * they name no mark of another language, or marks of several.
 */
export function guessSyntax(diagnostics: readonly Diagnostic[]): SyntaxGuess | null {
  const guesses = foreignMarks([diagnostics]);
  return guesses.length === 1 ? guesses[0] : null;
}
