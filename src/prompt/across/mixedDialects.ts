/** Prompts that mix the marks of several programs, so that no program reads all of it as it was meant. */
import type { Diagnostic } from '../ast.ts';
import { info } from '../diagnostics.ts';
import { programs, type Syntax } from '../syntax.ts';
import { foreignMarks } from './guessSyntax.ts';
import { eachWeight, type WeighedText } from './weighedText.ts';

/** Marks that weigh in the language itself and are text in the other. */
const ownForms: Readonly<Record<Syntax, readonly string[]>> = {
  a1111: ['round-number'],
  compel: ['suffix-signs', 'suffix-number', 'attend'],
  comfy: ['round-number'],
};

/**
 * Says that a prompt has weights of its own language beside marks of another one, or marks of two others. `diagnostics` are
 * lists of the parser's and the linter's. At most one sentence.
 */
export function mixedDialects(
  source: string,
  texts: readonly Pick<WeighedText, 'nodes'>[],
  diagnostics: readonly (readonly Diagnostic[])[],
  syntax: Syntax,
): Diagnostic[] {
  const [first, second] = foreignMarks(diagnostics);
  if (!first) return [];
  const typed = ({ start, end }: Diagnostic) => `“${source.slice(start, Math.min(end, start + 30))}”`;
  if (second) {
    const message = `This prompt has ${typed(first.because)} of ${programs[first.syntax]} and ${typed(second.because)} of ${programs[second.syntax]}, and ${programs[syntax]} reads neither: keep to the marks of one program.`;
    return [info('mixed-dialects', second.because, message)];
  }
  // The brackets of A1111 and ComfyUI weigh in both.
  if (first.syntax !== 'compel' && syntax !== 'compel') return [];
  let own: string | undefined;
  for (const { nodes } of texts)
    eachWeight(nodes, ({ form, start, end }) => {
      const isApart = end <= first.because.start || first.because.end <= start;
      if (isApart && ownForms[syntax].includes(form)) own ??= source.slice(start, Math.min(end, start + 30));
    });
  if (own === undefined) return [];
  const message = `This prompt mixes “${own}” of ${programs[syntax]} with ${typed(first.because)} of ${programs[first.syntax]}, and neither program reads both: keep to the marks of one.`;
  return [info('mixed-dialects', first.because, message)];
}
