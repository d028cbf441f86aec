import { readFile } from 'node:fs/promises';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { printPrompt } from '../prompt/across/translate.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { createTokenizer, type Tokenizer } from '../tokens/tokenizer.ts';
import { ownMethod } from '../weighting/methods.ts';
import { characterFamilies, type Family, markFamilies, pairFamilies, runFamilies } from './promptFamilies.ts';
import { fastestGrowth, highestExponent } from './promptGrowth.ts';
import { promptStages, type Stage, textStages } from './promptStages.ts';

/** Milliseconds of a frame at 60 Hz. */
const frame = 1000 / 60;
const words = 'masterpiece, (best quality:1.2), a castle on a hill, [evening] light, ((blurry:0.8)), oil on canvas, ';

/** Prints how long a prompt takes to read after an edit, and how that grows with its length. */
export async function main(): Promise<number> {
  const tokenizer = createTokenizer(await readFile('public/clip-merges.txt', 'utf8'));
  printEdits(tokenizer);
  printGrowth(tokenizer);
  return 0;
}

/** Prints the median time to read and tokenise a prompt after each of 31 edits, also as a share of a frame. */
function printEdits(tokenizer: Tokenizer): void {
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
}

/**
 * Prints for each stage of each language the prompts for which its time grows fastest, then those that grow too fast. All marks
 * of a grammar and all classes of characters are repeated for each stage, and all pairs of marks, and long runs between
 * marks, for the whole road.
 */
function printGrowth(tokenizer: Tokenizer): void {
  console.log('Time grows as length ** exponent, from 8,000 to 64,000 characters: the fastest growth of each stage\n');
  console.log('| language | stage | exponent | repeated | ms for 64,000 |');
  console.log('|---|---|---|---|---|');
  const tooFast: string[] = [];
  const print = (language: string, stage: Stage, families: readonly Family[], screened = 4000) => {
    const growth = fastestGrowth(stage, families, screened);
    if (!growth) return;
    const repeated = growth.family.replaceAll('|', '\\|');
    const exponent = growth.exponent.toFixed(2);
    console.log(`| ${language} | ${stage.name} | ${exponent} | ${repeated} | ${growth.milliseconds.toFixed(1)} |`);
    if (growth.exponent > highestExponent) tooFast.push(`${language} ${stage.name}, ${growth.family}: ${exponent}`);
  };
  const before = process.cpuUsage();
  const characters = characterFamilies();
  for (const stage of textStages(tokenizer)) print('any', stage, characters);
  for (const syntax of syntaxes) {
    const stages = promptStages(syntax, tokenizer);
    for (const stage of stages) print(syntax, stage, [...characters, ...markFamilies(syntax)]);
    print(`${syntax}, pairs`, stages[0], [...pairFamilies(syntax), ...runFamilies(syntax)], 2000);
  }
  const { user, system } = process.cpuUsage(before);
  console.log(`\nOver ${highestExponent}: ${tooFast.length === 0 ? 'none' : tooFast.join('; ')}.`);
  console.log(`This took ${((user + system) / 1e6).toFixed(0)} s of processor time.\n`);
}
