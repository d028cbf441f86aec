import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { readDynamicPrompt, seededChooser } from './dynamicPrompt.ts';
import { typedForPage } from './typedForPage.ts';

// biome-ignore format: one text, one line
test.each([
  ['a (cat:1.2) \\(b\\) | c', 'a (cat:1.2) \\(b\\) | c'],
  ['{day} sky', '\\{day\\} sky'],
  ['see https://x /* y */', 'see https:/{}/x /{}* y */'],
  ['\\{', '\\\\{\\{}'],
  ['a\\', 'a\\ {}'],
])('%s', (text, typed) => expect(typedForPage(text)).toBe(typed));

// Typing whose time grew with the square would take minutes.
test.each(['\\', '{', '/', '\\{'])('a million of %j', (piece) => {
  const text = `${piece.repeat(1_000_000)} `;
  expect(typedForPage(text).length).toBeGreaterThanOrEqual(text.length);
});

test('the page hands on the text that was meant, and chooses nothing', () => {
  const pieces = ['{', '}', '|', '\\', '\\\\', '/', '*', '//', '/*', '*/', 'a', ' ', '\n', '😀'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 24 }), (parts) => {
      const text = parts.join('');
      const { text: read, open } = readDynamicPrompt(typedForPage(text), seededChooser(1));
      expect([text, `${text} `]).toContain(read.text);
      expect(read.text === text || text.endsWith('\\')).toBe(true);
      expect(open.variants).toBe(1);
    }),
    { numRuns: 5000 },
  );
});
