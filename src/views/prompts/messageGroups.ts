import type { Diagnostic, Edit } from '../../prompt/ast.ts';

/** Gathers the messages that say the same of several places, in the order in which they first come. */
export function messageGroups(diagnostics: readonly Diagnostic[]): readonly (readonly Diagnostic[])[] {
  const groups = new Map<string, Diagnostic[]>();
  for (const diagnostic of diagnostics) {
    const { code, severity, message } = diagnostic;
    const key = `${severity} ${code} ${message}`;
    const group = groups.get(key);
    if (group) group.push(diagnostic);
    else groups.set(key, [diagnostic]);
  }
  return [...groups.values()];
}

/** Joins the edits of several fixes. A fix is left out if it would change a place that one before it changes. */
export function joinedEdits(fixes: readonly { readonly edits: readonly Edit[] }[]): readonly Edit[] {
  const joined: Edit[] = [];
  for (const { edits } of fixes) {
    const overlaps = edits.some(({ start, end }) => joined.some((other) => start < other.end && other.start < end));
    if (!overlaps) joined.push(...edits);
  }
  return joined.sort((a, b) => a.start - b.start);
}
