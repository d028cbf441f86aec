import { expect, test } from 'vitest';
import { sourceText } from '../../prompt/sourceText.ts';
import fc from '../../properties.ts';
import mojibake from '../recorded/mojibake.json';
import recorded from '../recorded/text_clean_up.json';
import { unescapeHtml } from './htmlEntities.ts';
import { basicClean, fixText } from './textFix.ts';
import { composeNfc, lowerCase } from './textForms.ts';

const steps = { fixText, unescapeHtml, basicClean, composeNfc, lowerCase };

/** Any UTF-16 at all, and the characters that clean-up treats specially. */
const text = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.integer({ min: 0, max: 0x10ffff }).map((codePoint) => String.fromCodePoint(codePoint)),
      fc.constantFrom(
        'e\u0301',
        'a\u0323\u0302',
        'ᄒ',
        'ᅡ',
        'ᆫ',
        '각',
        'İ',
        'ΑΣ',
        'Σ',
        'ﬃ',
        '&amp;',
        '&#',
        ';',
        'ﾊﾟ',
        '\x1b[1m',
        'Ã©',
        'Ã ',
        'Â',
        'â€™',
        'â€\ufffd',
        'ðŸ˜€',
        '\n',
      ),
      fc.string({ unit: 'grapheme-ascii', maxLength: 3 }),
    ),
  )
  .map((parts) => parts.join(''));

test("fixText is ftfy's fix_text", () => {
  for (const row of [...recorded, ...mojibake])
    expect(fixText(sourceText(row.text)).text, JSON.stringify(row.text)).toBe(row.fixed);
});

test("unescapeHtml is Python's", () => {
  for (const row of recorded)
    expect(unescapeHtml(sourceText(row.text)).text, JSON.stringify(row.text)).toBe(row.unescaped);
});

test('composeNfc and lowerCase are what they are for plain strings', () => {
  fc.assert(
    fc.property(text, (typed) => {
      expect(composeNfc(sourceText(typed)).text).toBe(typed.normalize('NFC'));
      expect(lowerCase(sourceText(typed)).text).toBe(typed.toLowerCase());
      expect(lowerCase(sourceText(typed), true).text).toBe([...typed].map((c) => c.toLowerCase()).join(''));
    }),
  );
});

test('every canonical composition is found', () => {
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    const character = String.fromCodePoint(codePoint);
    const apart = character.normalize('NFD');
    if (apart !== character) expect(composeNfc(sourceText(apart)).text).toBe(apart.normalize('NFC'));
  }
});

test('every clean-up keeps one ordered range within the source for each unit', () => {
  fc.assert(
    fc.property(text, fc.constantFrom(...Object.values(steps)), (typed, step) => {
      const offset = 3;
      const { text, starts, ends } = step(sourceText(`***${typed}`, offset));
      expect([starts.length, ends.length]).toEqual([text.length, text.length]);
      starts.forEach((start, i) => {
        expect(start).toBeLessThan(ends[i]);
        if (i > 0) expect([start >= starts[i - 1], ends[i] >= ends[i - 1]]).toEqual([true, true]);
      });
      if (text.length > 0) {
        expect(starts[0]).toBeGreaterThanOrEqual(offset);
        expect(ends[text.length - 1]).toBeLessThanOrEqual(offset + typed.length);
      }
    }),
  );
});

/** Each unit as `it ← what was typed`. */
test.each<[keyof typeof steps, string, string[]]>([
  ['fixText', 'x&amp;y', ['x ← x', '& ← &amp;', 'y ← y']],
  ['fixText', '&amp;amp;', ['& ← &amp;amp;']],
  ['fixText', 'xﬁ', ['x ← x', 'f ← ﬁ', 'i ← ﬁ']],
  ['fixText', 'a\x00b', ['a ← a', 'b ← b']],
  ['fixText', 'fe\u0301s', ['f ← f', 'é ← e\u0301', 's ← s']],
  ['fixText', 'ﾊﾟ', ['パ ← ﾊﾟ']],
  ['fixText', 'schÃ¶n', ['s ← s', 'c ← c', 'h ← h', 'ö ← Ã¶', 'n ← n']],
  ['fixText', 'Ã la', ['à ← Ã', '  ←  ', 'l ← l', 'a ← a']],
  ['fixText', 'Ãƒâ€šÃ‚Â©', ['© ← Ãƒâ€šÃ‚Â©']],
  ['fixText', 'ж ðŸ˜€', ['ж ← ж', '  ←  ', '😀 ← ðŸ˜€']],
  ['fixText', 'Ã©\nÃ', ['é ← Ã©', '\n ← \n', 'Ã ← Ã']],
  ['unescapeHtml', '&notit;', ['¬ ← &not', 'i ← i', 't ← t', '; ← ;']],
  ['lowerCase', 'aİ', ['a ← a', 'i ← İ', '\u0307 ← İ']],
  ['basicClean', 'a\u00ad中', ['a ← a', '  ← 中', '中 ← 中', '  ← 中']],
])('%s knows where each unit of %j was typed', (name, typed, expected) => {
  const { text, starts, ends } = steps[name](sourceText(typed));
  expect(Array.from(text, (unit, i) => `${unit} ← ${typed.slice(starts[i], ends[i])}`)).toEqual(expected);
});

test('plain text is left as it is, not copied', () => {
  const source = sourceText("plain (text:1.2), it's <b>\n\tAT&T");
  expect(fixText(source)).toBe(source);
});

test.each([
  ['a run of marks', `e${'\u0301\u0323'.repeat(50_000)}`],
  ['escapes of escapes', `&${'amp;'.repeat(25_000)}`],
  ['entities within entities', '&#'.repeat(25_000) + '1;'.repeat(25_000)],
  ['terminal escapes', '\x1b['.repeat(50_000)],
  ['mojibake', 'â€œÃ©â€\x9d'.repeat(12_500)],
  ['lines of mojibake', 'Ã©\n'.repeat(33_000)],
  ['letters before a sign', `${'Â'.repeat(100_000)}³ж`],
  [
    'longer and longer rows of letters before a sign',
    Array.from({ length: 440 }, (_, i) => `${'Â'.repeat(i)}³ж`).join(''),
  ],
])('100 kB of %s takes no quadratic time', { timeout: 10_000 }, (_, long) => {
  expect(fixText(sourceText(long)).text.length).toBeLessThan(long.length + 1);
});
