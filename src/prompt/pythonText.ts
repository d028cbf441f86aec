/** Spaces, digits and numbers by the rules of Python 3, where they differ from those of JavaScript. */

import type { Range } from './ast.ts';

/**
 * Python's `\s`, for use inside a class of a regular expression. JavaScript's own lacks U+001C–1F and U+0085, and has
 * U+FEFF.
 */
export const pythonSpace = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;

// `float` and `\s` disagree about U+001C–1F.
const aroundNumber = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const beginsDecimal = /^[+-]?[.\p{Nd}]/u;
const digits = String.raw`\d+(?:_\d+)*`;
const decimal = new RegExp(`^[+-]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:e[+-]?${digits})?$`, 'i');
const special = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i;

/** Python's `float()` of a text; null where it raises. */
export function pythonFloat(text: string): number | null {
  let [start, end] = [0, text.length];
  while (start < end && aroundNumber.test(text[start])) start++;
  while (start < end && aroundNumber.test(text[end - 1])) end--;
  const typed = text.slice(start, end);
  if (beginsDecimal.test(typed)) {
    const number = asciiDigits(typed);
    return decimal.test(number) ? Number(number.replaceAll('_', '')) : null;
  }
  const match = special.exec(typed);
  if (!match) return null;
  return match[2] ? Number(`${match[1]}Infinity`) : Number.NaN;
}

/** Range of a text from `from` on without one character at its ends, as Python's `strip` leaves it. */
export function withoutOuter(text: string, character: string, from = 0): Range {
  let [start, end] = [from, text.length];
  while (start < end && text[end - 1] === character) end--;
  while (start < end && text[start] === character) start++;
  return { start, end };
}

/**
 * Writes the digits of every script as 0 to 9. The ten digits of a script are neighbours in Unicode, in order, and several
 * such tens may follow each other: a digit's value is its distance from the beginning of that run, modulo ten.
 */
export function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0)!;
    if (code < 0x80) return digit;
    let zero = code;
    while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
    return String((code - zero) % 10);
  });
}
