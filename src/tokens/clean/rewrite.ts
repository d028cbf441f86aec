import type { SourceText } from '../../prompt/ast.ts';

/** The text that replaces a match; with a length, only that many of its first units are replaced and the rest stays. */
export type Replacement = string | readonly [text: string, length: number];

/**
 * `source` with every match of `pattern` (global) replaced by what `becomes` returns; each unit of the replacement was
 * typed where all of what it replaces was, and what is replaced by nothing leaves no trace.
 */
export function rewrite(source: SourceText, pattern: RegExp, becomes: (match: string) => Replacement): SourceText {
  const starts: number[] = [];
  const ends: number[] = [];
  let text = '';
  let copied = 0;
  const copyUpTo = (to: number) => {
    text += source.text.slice(copied, to);
    for (let i = copied; i < to; i++) {
      starts.push(source.starts[i]);
      ends.push(source.ends[i]);
    }
  };
  for (const { 0: match, index } of source.text.matchAll(pattern)) {
    const replacement = becomes(match);
    if (replacement === match) continue;
    const [insert, length] = typeof replacement === 'string' ? [replacement, match.length] : replacement;
    copyUpTo(index);
    copied = index + length;
    text += insert;
    for (let i = 0; i < insert.length; i++) {
      starts.push(source.starts[index]);
      ends.push(source.ends[copied - 1]);
    }
  }
  if (copied === 0) return source;
  copyUpTo(source.text.length);
  return { text, starts, ends };
}
