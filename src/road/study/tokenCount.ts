/** Counts the tokens of a prompt, in words that say what is counted. */
import { programs, type Syntax } from '../../prompt/syntax.ts';
import type { PreparedPrompt } from '../preparedPrompt.ts';

export interface TokenCount {
  /** Tokens that were typed, of all texts of the prompt, those that are cut off included. */
  readonly typed: number;
  /** Tokens that are cut off. */
  readonly cut: number;
  /** Rows of the encoder's input, and the tokens that fit into each. */
  readonly chunks: number;
  readonly room: number;
  /** The count of the longest text as its program shows it; null where that counts what was typed. */
  readonly shown: { readonly count: number; readonly target: number } | null;
}

export function tokenCount({ texts }: Pick<PreparedPrompt, 'texts'>): TokenCount {
  const counts = texts.map(({ chunks, cut, tokenCount, target }) => {
    const typed = chunks.flatMap(({ tokens }) => tokens.filter(({ kind }) => kind === 'text')).length + cut.length;
    return { typed, cut: cut.length, chunks: chunks.length, tokenCount, target };
  });
  const longest = counts.reduce((a, b) => (b.tokenCount > a.tokenCount ? b : a));
  const sum = (key: 'typed' | 'cut' | 'chunks') => counts.reduce((total, count) => total + count[key], 0);
  return {
    typed: sum('typed'),
    cut: sum('cut'),
    chunks: sum('chunks'),
    room: texts[0].chunks[0].tokens.length - 2,
    shown: longest.tokenCount === longest.typed ? null : { count: longest.tokenCount, target: longest.target },
  };
}

/** Writes a count: `5 / 75 tokens`, or `4 tokens in 2 chunks (A1111 shows 77/150)`. */
export function countText({ typed, chunks, room, shown }: TokenCount, syntax: Syntax): string {
  if (chunks === 1) return `${typed} / ${room} tokens`;
  const asShown = shown ? ` (${programs[syntax]} shows ${shown.count}/${shown.target})` : '';
  return `${typed} ${typed === 1 ? 'token' : 'tokens'} in ${chunks} chunks${asShown}`;
}
