import { wordEnd } from './bytePairs.ts';

/** Tokens word by word: each but the last of a word lacks `</w>`. */
export function wordsOf<T extends { readonly text: string }>(tokens: readonly T[]): T[][] {
  const words: T[][] = [];
  let isOpen = false;
  for (const token of tokens) {
    if (isOpen) words[words.length - 1].push(token);
    else words.push([token]);
    isOpen = !token.text.endsWith(wordEnd) && !/^<\|.*\|>$/.test(token.text);
  }
  return words;
}
