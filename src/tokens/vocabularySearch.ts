import { wordEnd } from './bytePairs.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface VocabularyMatches {
  /** The best first, no more than were asked for. */
  readonly ids: readonly number[];
  readonly total: number;
}

export type VocabularySearch = (query: string, most: number) => VocabularyMatches;

/**
 * Finds the entries that hold a text, whatever its case: first the word itself, then the same text inside of words, then
 * what begins so, then the rest, each in the order of ids. `cat</w>` finds what words end in. An empty query finds all.
 */
export function createVocabularySearch(tokenizer: Tokenizer): VocabularySearch {
  const texts = Array.from({ length: tokenizer.vocabSize }, (_, id) => {
    const entry = tokenizer.entry(id);
    // Bytes that print as themselves are most of the vocabulary, and need no decoding.
    return (/^[!-~]*$/.test(entry) ? entry.replace(wordEnd, ' ') : tokenizer.decode([id])).toLowerCase();
  });
  return (query, most) => {
    const text = query.trim().toLowerCase().replace(wordEnd, ' ');
    const byRank: number[][] = [[], [], [], []];
    texts.forEach((candidate, id) => {
      const at = candidate.indexOf(text);
      if (at < 0) return;
      const rank = candidate === `${text} ` ? 0 : candidate === text ? 1 : at === 0 ? 2 : 3;
      byRank[rank].push(id);
    });
    const ids = byRank.flat();
    return { ids: ids.slice(0, most), total: ids.length };
  };
}

/** Ids that a text lists, apart from spaces, commas and brackets; null where it is not such a list. */
export function listedIds(query: string): number[] | null {
  if (!/^[\s\d,;[\]()]*\d[\s\d,;[\]()]*$/.test(query)) return null;
  return Array.from(query.matchAll(/\d+/g), ([digits]) => Number(digits));
}
