import type { Tokenizer } from '../tokens/tokenizer.ts';
import { captionTokens } from '../world/captionIds.ts';
import { plainPhrase } from '../world/captions.ts';
import type { Description } from '../world/description.ts';

/** A word of a caption, and the rows of its tokens among the caption's 77; row 0 is that of BOS. */
export interface WordRows {
  readonly word: string;
  readonly rows: readonly number[];
}

/** Words of each object in a `plainCaption` that names no ground. Throws RangeError for another caption. */
export function phraseRows(tokenizer: Tokenizer, caption: string, { objects }: Description): WordRows[][] {
  let row = 1;
  const words = caption.split(' ').map((word) => ({ word, rows: captionTokens(tokenizer, word).map(() => row++) }));
  let end = 0;
  return objects.map((object) => {
    const phrase = plainPhrase(object).split(' ');
    const isHere = (start: number) => phrase.every((word, i) => words[start + i]?.word === word);
    let start = end;
    while (!isHere(start))
      if (++start > words.length) throw new RangeError(`“${caption}” does not say “${phrase.join(' ')}”.`);
    end = start + phrase.length;
    return words.slice(start, end);
  });
}
