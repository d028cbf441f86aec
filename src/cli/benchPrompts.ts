import { readFile } from 'node:fs/promises';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { printPrompt } from '../prompt/across/translate.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { ownMethod } from '../weighting/methods.ts';

/** Milliseconds of a frame at 60 Hz. */
const frame = 1000 / 60;
const words = 'masterpiece, (best quality:1.2), a castle on a hill, [evening] light, ((blurry:0.8)), oil on canvas, ';

/** Prints the median time to read and tokenise a prompt after each of 31 edits, also as a share of a frame. */
export async function main(): Promise<number> {
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  console.log('Reading and tokenising after an edit, ms (and share of a frame at 60 Hz)\n');
  console.log(`| characters | ${syntaxes.join(' | ')} |`);
  console.log(`|---|${syntaxes.map(() => '---|').join('')}`);
  for (const length of [200, 2000, 20_000]) {
    const cells = syntaxes.map((syntax) => {
      const { fragments } = parseA1111(words.repeat(Math.ceil(length / words.length)).slice(0, length));
      const prompt = printPrompt(fragments, syntax).slice(0, length);
      const options = { ...defaultOptions, syntax, weighting: ownMethod[syntax], split: 'WORDS' as const };
      const times = Array.from({ length: 31 }, (_, i) => {
        const start = performance.now();
        preparePrompt(`${prompt} ${i}`, options, tokenizer);
        return performance.now() - start;
      });
      const median = times.sort((a, b) => a - b)[15];
      return `${median.toFixed(1)} (${(median / frame).toFixed(2)})`;
    });
    console.log(`| ${length} | ${cells.join(' | ')} |`);
  }
  console.log('');
  return 0;
}
