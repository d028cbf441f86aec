import { parseCompel } from '../compel/compelPrompt.ts';
import { type Fix, fixWith } from '../diagnostics.ts';
import { printPrompt } from './translate.ts';

const wholeCall = /^\s*\(.*\)\s*\.(?:and|add)\([^()]*\)\s*$/s;

/**
 * Writes `("a", "b").and()` for A1111, with BREAK between the parts. Undefined if anything else is typed, if a part weighs
 * or swaps, or if A1111 cannot say it. The text is in Compel's language, so this alone reads it as Compel does.
 */
export function joinedByBreak(source: string): Fix | undefined {
  if (!wholeCall.test(source)) return undefined;
  const { nodes, parts, diagnostics } = parseCompel(source);
  const [node] = nodes;
  const isJoin = nodes.length === 1 && node.type === 'composite' && node.operator === 'and';
  if (!isJoin || diagnostics.some(({ severity }) => severity !== 'info')) return undefined;
  if (source.slice(0, node.start).trim() !== '' || source.slice(node.end).trim() !== '') return undefined;
  const rows = parts.map(({ content, weight }) =>
    content.kind === 'prompt' && weight === 1 && content.items.every(({ kind }) => kind === 'text') ? content : null,
  );
  const pieces = rows.flatMap((row, i) => [
    ...(i === 0 ? [] : [{ kind: 'break' as const, text: 'BREAK', weight: -1 }]),
    ...(row?.fragments ?? []).flatMap((fragment, j) => [
      ...(j === 0 ? [] : [{ kind: 'text' as const, text: ' ', weight: 1 }]),
      fragment,
    ]),
  ]);
  // A1111 begins no chunk after a BREAK that nothing follows.
  const last = rows.at(-1)?.fragments ?? [];
  if (last.every(({ text }) => text.trim() === '')) pieces.push({ kind: 'break', text: 'BREAK', weight: -1 });
  const isSayable =
    rows.every((row) => row !== null) && pieces.every(({ kind, text }) => kind === 'break' || !/#/.test(text));
  if (!isSayable) return undefined;
  return fixWith('Write BREAK between the parts', {
    start: node.start,
    end: node.end,
    insert: printPrompt(pieces, 'a1111').trim(),
  });
}
