import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { passKey } from '../clip/encoderPass.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { a1111, d, fakeZ, fragmentsWith, readers, someWeight } from '../road/testing/prompts.ts';
import { rowSumsOf } from './a1111.ts';
import { type MethodName, methods } from './methods.ts';
import { sumAt, summands } from './summands.ts';

const names = Object.keys(methods) as MethodName[];

describe.each(names)('%s', (name) => {
  test('the rows of the sum are those of the conditioning, from its passes alone', () => {
    const reader = fc.constantFrom(...Object.values(readers));
    fc.assert(
      fc.property(fragmentsWith(someWeight), reader, (fragments, read) => {
        const prompt = read(fragments);
        const asked = new Set(methods[name].passes(prompt).map(passKey));
        const zOf: typeof fakeZ = (pass) => {
          expect(asked).toContain(passKey(pass));
          return fakeZ(pass);
        };
        const embeds = methods[name].combine(prompt, fakeZ);
        fc.pre(embeds.every(Number.isFinite));
        const all = summands(name, prompt, rowSumsOf(zOf));
        const largest = embeds.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        for (let row = 0; row < embeds.length / d; row += 5)
          expectClose(`row ${row}`, sumAt(all, row, 77, d, zOf), embeds.slice(row * d, (row + 1) * d), 1e-6 * largest);
      }),
      { numRuns: 40 },
    );
  });
});

test("chunks that only the batch has are the empty prompt's, by the ratio they share", () => {
  const prompt = { ...a1111('a cat'), batch: [a1111('a BREAK a (dog:0.5)').chunks] };
  const embeds = methods.original.combine(prompt, fakeZ);
  const row = sumAt(summands('original', prompt, rowSumsOf(fakeZ)), 77 + 3, 77, d, fakeZ);
  expectClose('row 80', row, embeds.slice(80 * d, 81 * d), 1e-6);
});
