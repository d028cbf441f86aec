import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { maskModes } from './clip/masks.ts';
import { syntaxes } from './prompt/syntax.ts';
import { methodNames } from './weighting/methods.ts';
import { tokenNormalisations } from './weighting/normalise.ts';

/** Names that are also those of a language, a mask or a normalisation, or plain words: in quotes they may mean that. */
const shared: ReadonlySet<string> = new Set([...syntaxes, ...maskModes, ...tokenNormalisations, 'scale', 'original']);

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.tsx?$/.test(file) && !file.endsWith('.test.ts') && !file.includes('/testing/'),
);

/** Finds the method names in a source text. */
function named(source: string): string[] {
  return methodNames.filter((name) => {
    const quoted = `['"\`]${name.replaceAll('+', '\\+')}['"\`]`;
    const inPlaceOfAMethod = new RegExp(
      `(?:weighting|method|Method|methods|ownMethod)\\)?\\s*(?:[!=]==|[:=[])\\s*${quoted}`,
    );
    return shared.has(name) ? inPlaceOfAMethod.test(source) : new RegExp(quoted).test(source);
  });
}

test('a name in place of a method is found', () => {
  for (const name of methodNames)
    for (const source of [`if (method === '${name}')`, `{ weighting: '${name}' }`, `methods['${name}']`])
      expect(named(source)).toEqual([name]);
  expect(named("mask === 'none' || syntax === 'comfy'")).toEqual([]);
});

test('a method is named in its own file and nowhere else', () => {
  const found = files.flatMap((file) => named(readFileSync(join('src', file), 'utf8')).map((name) => ({ file, name })));
  for (const { file } of found) expect(file).toMatch(/^weighting\/\w+\.ts$/);
  const owners = files
    .filter((file) => /^weighting\/\w+\.ts$/.test(file))
    .flatMap((file) => readFileSync(join('src', file), 'utf8').match(/^ {2}name: '[^']+'/gm) ?? []);
  expect(owners.map((line) => line.slice(9, -1)).sort()).toEqual([...methodNames].sort());
  expect(
    found
      .map(({ name }) => name)
      .filter((name) => !shared.has(name))
      .sort(),
  ).toEqual(methodNames.filter((name) => !shared.has(name)).sort());
});
