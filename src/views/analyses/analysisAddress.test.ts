import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readReadableLink } from '../../state/linkParameters.ts';
import { viewOf } from '../../state/view.ts';
import { analysisHash, analysisNames, analysisOf } from './analysisAddress.ts';

test('every analysis has an address that leads to it, and other names lead to none', () => {
  for (const name of analysisNames) {
    expect(analysisOf(analysisHash(name))).toBe(name);
    expect(viewOf(analysisHash(name))).toBe('analyses');
  }
  for (const hash of ['', '#view=analyses', '#view=analyses&analysis=', '#analysis=toString', '#analysis=leakages'])
    expect(analysisOf(hash), hash).toBeNull();
});

test('the text about links names each', () => {
  const [line] = /^\| `analysis` .*$/m.exec(readFileSync('docs/links.md', 'utf8'))!;
  expect(Array.from(line.matchAll(/`([a-z]+)`/g), ([, name]) => name)).toEqual(['analysis', ...analysisNames]);
});

test('a readable link may name one beside its prompt, known or not', () => {
  for (const name of ['leakage', 'nonsense']) {
    const link = readReadableLink(`#v=1&prompt=a%20cat&view=analyses&analysis=${name}`);
    expect(link.kind === 'shared' && link.shared.work.prompts.positive).toBe('a cat');
  }
});
