import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { splitParts } from '../prompt/a1111/andParts.ts';
import { removeComments } from '../prompt/a1111/comments.ts';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { removeNetworks } from '../prompt/a1111/extraNetworks.ts';
import { parseSchedule } from '../prompt/a1111/promptSchedule.ts';
import type { SourceText } from '../prompt/ast.ts';
import { readDynamicPrompt } from '../prompt/comfy/dynamicPrompt.ts';
import { sourceText } from '../prompt/sourceText.ts';
import { syntaxes } from '../prompt/syntax.ts';
import { defaultOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { convertPrompt } from '../tokens/convertPrompt.ts';
import { createTokenizer, type Tokenizer } from '../tokens/tokenizer.ts';
import { tokenizerFlavours } from '../tokens/tokenizerFlavours.ts';
import { ownMethod } from '../weighting/methods.ts';
import { characterFamilies, type Family, markFamilies } from './promptFamilies.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const [short, long] = [125, 1000];
/** Work for each character of the long prompt may be so many times that of the short one, and there is a little that is done anyway. */
const mostTimes = 1.1;
const constant = 100;

/** Names the families for which the long prompt takes more work than its length explains. */
function growing(families: readonly Family[], workFor: (prompt: string) => number): string[] {
  return families.flatMap(({ name, prompt }) => {
    const [few, many] = [workFor(prompt(short)), workFor(prompt(long))];
    const longer = prompt(long).length / prompt(short).length;
    return many <= mostTimes * longer * few + constant ? [] : [`${name}: ${few} → ${many}`];
  });
}

/** Counts the characters that a stage has tokenised. */
function tokenisedBy(stage: (counting: Tokenizer) => unknown): number {
  let characters = 0;
  stage({
    ...tokenizer,
    tokenize(source, flavour) {
      characters += source.text.length;
      return tokenizer.tokenize(source, flavour);
    },
  });
  return characters;
}

/** Counts the characters whose places in the prompt a stage has looked up or copied, once for their ends and once for their beginnings. */
function placesReadBy(prompt: string, stage: (source: SourceText) => unknown): number {
  let places = 0;
  const counted = (numbers: readonly number[]) =>
    new Proxy(numbers, {
      get(target, key, receiver) {
        if (typeof key === 'string' && /^\d+$/.test(key)) places++;
        return Reflect.get(target, key, receiver);
      },
    });
  const { text, starts, ends } = sourceText(prompt);
  stage({ text, starts: counted(starts), ends: counted(ends) });
  return places;
}

describe('a prompt that repeats one thing takes work in proportion to its length', () => {
  test('its characters are tokenised in proportion', () => {
    for (const syntax of syntaxes) {
      const options = { ...defaultOptions, syntax, weighting: ownMethod[syntax], split: 'WORDS' as const };
      const families = [...characterFamilies(), ...markFamilies(syntax)];
      const found = growing(families, (prompt) =>
        tokenisedBy((counting) => preparePrompt(prompt, options, counting, 'positive')),
      );
      expect(found, syntax).toEqual([]);
    }
  });

  test('converting it tokenises in proportion', () => {
    for (const from of syntaxes)
      for (const to of syntaxes.filter((syntax) => syntax !== from)) {
        const found = growing(markFamilies(from), (prompt) =>
          tokenisedBy((counting) => convertPrompt(prompt, from, to, counting, undefined, 'positive')),
        );
        expect(found, `${from} to ${to}`).toEqual([]);
      }
  });

  const stages: Readonly<Record<string, (source: SourceText) => unknown>> = {
    removeComments,
    removeNetworks,
    splitParts,
    parseSchedule,
    parseA1111,
    ...Object.fromEntries(
      tokenizerFlavours.map((flavour) => [flavour, (source: SourceText) => tokenizer.tokenize(source, flavour)]),
    ),
  };
  test.each(Object.entries(stages))('%s reads and copies places in proportion', (_, stage) => {
    const families = [...characterFamilies(), ...markFamilies('a1111')];
    expect(growing(families, (prompt) => placesReadBy(prompt, stage))).toEqual([]);
  });

  test('ComfyUI’s page makes choices in proportion', () => {
    const choicesOf = (prompt: string) => {
      let choices = 0;
      readDynamicPrompt(prompt, () => () => {
        choices++;
        return 0;
      });
      return choices;
    };
    expect(growing(markFamilies('comfy'), choicesOf)).toEqual([]);
  });
});
