import type { Diagnostic } from '../ast.ts';
import { applyEdits } from '../edits.ts';

/** The prompt as a diagnostic would mend it; as it is where there is no fix. */
export function applyFix(prompt: string, { fix }: Diagnostic): string {
  return applyEdits(prompt, fix?.edits ?? []);
}
