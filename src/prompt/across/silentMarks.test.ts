import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Syntax, syntaxes } from '../syntax.ts';
import { applyFix } from '../testing/applyFix.ts';
import { lintOf } from '../testing/lintOf.ts';

const codes = [
  'full-width-brackets',
  'weighed-twice',
  'choice',
  'novelai-weight',
  'wildcard',
  'interface-comment',
  'mixed-dialects',
];
const told = (source: string, syntax: Syntax) => lintOf(source, syntax).filter(({ code }) => codes.includes(code));

// biome-ignore format: one prompt, one line
test.each<[Syntax, string, string, string, string | null]>([
  ['a1111', 'a （red：1.3） car', 'full-width-brackets', '（red：1.3）', 'a (red:1.3) car'],
  ['comfy', 'a （red：1.3） car', 'full-width-brackets', '（red：1.3）', 'a (red:1.3) car'],
  ['compel', 'a （red：1.3） car', 'full-width-brackets', '（red：1.3）', 'a (red)1.3 car'],
  ['a1111', 'a (red：１．３) car', 'full-width-brackets', '(red：１．３)', 'a (red:1.3) car'],
  ['a1111', 'a （red） car', 'full-width-brackets', '（red）', 'a (red) car'],
  ['compel', 'a （red）++ car', 'full-width-brackets', '（red）', 'a (red)++ car'],
  ['a1111', 'a (red:1.3)++ car', 'weighed-twice', '++', 'a (red:1.3) car'],
  ['comfy', 'a (red:1.3)1.2, car', 'weighed-twice', '1.2', 'a (red:1.3), car'],
  ['a1111', 'a {red|blue} car', 'choice', '{red|blue}', 'a red car'],
  ['compel', 'a {red|blue} car', 'choice', '{red|blue}', 'a red car'],
  ['comfy', 'a {red|blue} car', 'choice', '{red|blue}', 'a red car'],
  ['comfy', 'a {red} car', 'choice', '{red}', 'a red car'],
  ['a1111', 'a {{red}} car', 'novelai-weight', '{{red}}', 'a (red:1.1025) car'],
  ['compel', 'a {red} car', 'novelai-weight', '{red}', 'a (red)1.05 car'],
  // Touching a word they would weigh nothing.
  ['compel', 'well{cat}', 'novelai-weight', '{cat}', null],
  ['compel', 'girl（red：1.2）, sky', 'full-width-brackets', '（red：1.2）', null],
  ['a1111', 'a __color__ car', 'wildcard', '__color__', null],
  ['compel', 'a __color__ car', 'wildcard', '__color__', null],
  ['comfy', 'a __color__ car', 'wildcard', '__color__', null],
  ['comfy', 'a cat // note', 'interface-comment', '// note', 'a cat '],
  ['a1111', 'a /* note */ cat', 'interface-comment', '/* note */', 'a  cat'],
  ['a1111', 'a (red:1.3) car++', 'mixed-dialects', '++', null],
  ['compel', 'a (red:1.3) car++', 'mixed-dialects', ':1.3', null],
  ['comfy', 'a [red] (car)++', 'mixed-dialects', '++', null],
])('%s: %s', (syntax, source, code, mark, fixed) => {
  const [diagnostic, ...more] = told(source, syntax);
  expect(more).toEqual([]);
  expect([diagnostic.code, source.slice(diagnostic.start, diagnostic.end)]).toEqual([code, mark]);
  expect(diagnostic.message).toMatch(/^(?:(?!\. ).)+\.$/s);
  expect(applyFix(source, diagnostic)).toBe(fixed ?? source);
  if (fixed !== null) expect(told(fixed, syntax)).toEqual([]);
});

test('recorded prompts hear of braces, and of a weight after brackets that have one, and of nothing else', () => {
  const heard = new Set<string>();
  for (const name of ['a1111_attention', 'a1111_schedule', 'a1111_extra_networks', 'comfy_parse', 'compel_parse']) {
    const rows: { prompt: string }[] = JSON.parse(readFileSync(`src/prompt/recorded/${name}.json`, 'utf8'));
    for (const { prompt } of rows)
      for (const syntax of syntaxes) for (const { code } of told(prompt, syntax)) heard.add(`${code} ${prompt}`);
  }
  expect([...heard].sort()).toEqual([
    'choice [{a}:{b}:0.5]',
    'choice {a|b}',
    'choice {a}',
    'novelai-weight [{a}:{b}:0.5]',
    'novelai-weight {a}',
    'weighed-twice (16:9)1.2',
  ]);
});

test.each([
  'a well-known (red:1.3) car, [blurry]',
  '猫（黒）',
  'https://x',
  '__',
  'C++ {1}',
  '(a:1.2)-haired',
  '(^_^)',
])('A1111: nothing is a slip in %s', (source) => {
  expect(told(source, 'a1111').filter(({ severity }) => severity !== 'info')).toEqual([]);
});
