import { type Syntax, syntaxes } from '../prompt/syntax.ts';

/** Returns the language; throws RangeError where it is none. */
export function checkedSyntax(syntax: Syntax): Syntax {
  if (syntaxes.includes(syntax)) return syntax;
  throw new RangeError(`A prompt's syntax is one of ${syntaxes.join(', ')}, not "${syntax}".`);
}
