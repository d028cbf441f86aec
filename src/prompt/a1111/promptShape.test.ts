import { expect, test } from 'vitest';
import { promptShape } from './promptShape.ts';

const isSame = (a: string, b: string, isMoved = false) => promptShape(a, isMoved) === promptShape(b, isMoved);

test.each([
  ['a red car', 'a (red:1.3) car'],
  ['a (red:1.3) car <lora:x:1>', 'a [red] car <lora:x:0.5>'],
  ['[cat:dog:0.5] x', '[(cat:1.1):dog:0.5] x'],
  ['cat AND dog :1.5', 'cat AND (dog:1.2) :1.5'],
])('%s and %s differ in weights alone', (a, b) => {
  expect(isSame(a, b)).toBe(true);
});

test.each([
  ['a cat AND a dog', '(a cat AND a dog:1.1)'],
  ['a cat :1.5', '(a cat :1.5:1.2)'],
  ['aspect 16:9', 'aspect (16:9:1.2)'],
  ['[a|b] c', '[(a|b:1.2)] c'],
  ['a cat # note', '(a cat # note:1.2)'],
  ['a cat', 'a dog'],
])('%s and %s differ in more', (a, b) => {
  expect(isSame(a, b)).toBe(false);
});

test('what is moved within a part leaves the shape, between parts and out of a comment it does not', () => {
  expect(isSame('a (red:1.2), b, c', 'b, a (red:1.2), c', true)).toBe(true);
  expect(isSame('a, b AND c, d', 'a, c AND b, d', true)).toBe(false);
  expect(isSame('cat, dog # hi, x\nbird, z', 'cat, x\nbird, dog # hi, z', true)).toBe(false);
});
