import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseA1111 } from './a1111.ts';
import { applyEdits } from './edits.ts';
import { changeWeight } from './weightKeys.ts';

/** What `‹…›` or `|` selects; the prompt without them. */
function marked(text: string) {
  const start = text.search(/[‹¦]/);
  const end = text.includes('¦') ? start : text.indexOf('›') - 1;
  return { source: text.replace(/[‹›¦]/g, ''), selection: { start, end } };
}

function mark(source: string, { start, end }: { start: number; end: number }): string {
  if (start === end) return `${source.slice(0, start)}¦${source.slice(start)}`;
  return `${source.slice(0, start)}‹${source.slice(start, end)}›${source.slice(end)}`;
}

function press(text: string, step: number): string | null {
  const { source, selection } = marked(text);
  const change = changeWeight(parseA1111(source), selection, step, 'a1111');
  return change && mark(applyEdits(source, change.edits), change.selection);
}

describe('the word at the caret', () => {
  test.each([
    ['a re¦d car', 'a (re¦d:1.05) car'],
    ['a ¦red car', 'a (¦red:1.05) car'],
    ['a red¦ car', 'a (red¦:1.05) car'],
    ['¦red', '(¦red:1.05)'],
    ['a well-kno¦wn, f', 'a (well-kno¦wn:1.05), f'],
    ['v1.5¦, b', '(v1.5¦:1.05), b'],
    ['the e¦nd.', 'the (e¦nd:1.05).'],
    ['cat \\(ani¦mal\\), b', 'cat (\\(ani¦mal\\):1.05), b'],
    ['[a¦b:c:0.5]', '[(a¦b:1.05):c:0.5]'],
    ['[a|b¦c]', '[a|(b¦c:1.05)]'],
    ['(un¦closed', '((un¦closed:1.05)'],
    ['小さ¦な 猫', '(小さ¦な:1.05) 猫'],
  ])('%s', (before, after) => expect(press(before, 0.05)).toBe(after));

  test.each(['a , ¦ b', '¦', 'a, BRE¦AK b', '  ¦  '])('%s has none', (text) => expect(press(text, 0.05)).toBeNull());
});

describe('the brackets at the caret', () => {
  test.each([
    ['(r¦ed:1.3)', 0.05, '(r¦ed:1.35)'],
    ['(a r¦ed car:1.3)', -0.1, '(a r¦ed car:1.2)'],
    ['(red:1.3)¦', 0.05, '(red:1.35)¦'],
    ['¦(red:1.3)', 0.05, '¦(red:1.35)'],
    ['(red:1.2¦5)', 0.05, '(red:1.3¦)'],
    ['(red:1¦)', 0.1, '(red:1.1¦)'],
    ['(r¦ed)', 0.05, '(r¦ed:1.15)'],
    ['(r¦ed)', -0.05, '(r¦ed:1.05)'],
    ['[r¦ed]', 0.05, '(r¦ed:0.95)'],
    ['[r¦ed]', -0.05, '(r¦ed:0.9)'],
    ['((r¦ed))', 0.05, '(r¦ed:1.25)'],
    ['((re¦d:1.2):1.1)', 0.05, '(re¦d:1.35)'],
    ['((a:1.2) r¦ed:1.1)', 0.05, '((a:1.2) r¦ed:1.15)'],
    ['((a¦:1.2) red:1.1)', 0.05, '((a¦:1.25) red:1.1)'],
    ['(r¦ed: 1.30 )', 0.05, '(r¦ed: 1.35 )'],
    ['(r¦ed:-0.5)', -0.05, '(r¦ed:-0.55)'],
    ['(r¦ed:0.02)', -0.05, '(r¦ed:0)'],
    ['(r¦ed:１.３)', 0.05, '(r¦ed:1.35)'],
    ['(r¦ed:1.33)', 0.1, '(r¦ed:1.43)'],
  ])('%s by %d', (before, step, after) => expect(press(before, step)).toBe(after));

  test.each([
    ['(r¦ed:1.05)', -0.05, 'r¦ed'],
    ['(red:1.05)¦ car', -0.05, 'red¦ car'],
    ['(r¦ed:0.95), car', 0.05, 'r¦ed, car'],
    ['[r¦ed]', 0.1, 'r¦ed'],
    ['(a (r¦ed:1.05):1.3)', -0.05, '(a r¦ed:1.3)'],
    // Without its brackets, this would be one word with its neighbours.
    ['a(r¦ed:1.05)car', -0.05, 'a r¦ed car'],
    ['a (r¦ed:1.05), car', -0.05, 'a r¦ed, car'],
  ])('%s by %d loses them', (before, step, after) => expect(press(before, step)).toBe(after));

  test('a LoRA has a number, but no brackets to lose', () => {
    expect(press('a <lora:fi¦lm:0.8> b', 0.05)).toBe('a <lora:fi¦lm:0.85> b');
    expect(press('<lora:film:0.95>¦', 0.05)).toBe('<lora:film:1>¦');
    expect(press('<lora:film:¦0.95> (b)', 0.1)).toBe('<lora:film:¦1.05> (b)');
  });
});

describe('a selection', () => {
  test.each([
    ['a ‹red car›, b', 'a (‹red car›:1.05), b'],
    ['a‹ red ›car', 'a (‹red›:1.05) car'],
    ['(‹red car›:1.3)', '(‹red car›:1.35)'],
    ['‹(red car:1.3)›', '(‹red car›:1.35)'],
    ['a ‹(red:1.3)› b', 'a (‹red›:1.35) b'],
    ['a (re‹d:1.3) car› b', 'a (‹(red:1.3) car›:1.05) b'],
    ['‹a (re›d:1.3) car', '(‹a (red:1.3)›:1.05) car'],
    ['(‹red:1.›3)', '(‹red›:1.35)'],
    ['(‹red› car:1.3)', '((‹red›:1.05) car:1.3)'],
    ['‹a, b BREAK c›', '(‹a, b:1.05) BREAK (c›:1.05)'],
    ['‹(a:1.05) BREAK (c:1.2)›', '(‹a:1.1) BREAK (c›:1.25)'],
    ['‹[red]›', '(‹red›:0.95)'],
    ['x [‹a] (b› c)', 'x (‹[a] (b c)›:1.05)'],
    ['a \\‹(b›', 'a (‹\\(b›:1.05)'],
  ])('%s', (before, after) => expect(press(before, 0.05)).toBe(after));

  test.each(['‹a) b›', '‹a (b›', '[‹)›]', '‹ ›a', '‹BREAK›'])('%s cannot be weighed', (text) =>
    expect(press(text, 0.05)).toBeNull(),
  );

  test('up and down again is as before', () => {
    const up = press('a ‹red car›, b', 0.1);
    expect(up).toBe('a (‹red car›:1.1), b');
    expect(press(up ?? '', -0.1)).toBe('a ‹red car›, b');
  });
});

const characters = fc.constantFrom(
  ...'((([[[)))]]]:::||,,..  \\\\ab1',
  'BREAK',
  ' BREAK ',
  ':1.2)',
  ':0.5]',
  '<lora:x:0.5>',
  '\n',
  '😀',
  '\ud800',
);

/** The characters that are encoded, spaces aside, with their weights and where they were typed. */
function weighed(source: string) {
  return parseA1111(source)
    .fragments.flatMap(({ text, starts, weight }) => text.split('').map((unit, i) => ({ unit, at: starts[i], weight })))
    .filter(({ unit }) => /\S/.test(unit));
}

test('whatever is typed and selected, the text stays, and so do the weights around', () => {
  const anyTag = (source: string) =>
    weighed(source)
      .map(({ unit }) => unit)
      .join('')
      .replace(/<lora:x:[^<>]*>/g, '<lora:x:>');
  const selections = fc.tuple(fc.array(characters, { maxLength: 24 }), fc.nat(), fc.nat());
  fc.assert(
    fc.property(selections, fc.constantFrom(0.05, -0.05, 0.1, -0.1), ([typed, a, b], step) => {
      const source = typed.join('');
      const [start, end] = [a % (source.length + 1), b % (source.length + 1)].sort((x, y) => x - y);
      const change = changeWeight(parseA1111(source), { start, end }, step, 'a1111');
      if (!change) return;
      const after = applyEdits(source, change.edits);
      expect(anyTag(after)).toBe(anyTag(source));
      const { selection } = change;
      expect(0 <= selection.start && selection.start <= selection.end && selection.end <= after.length).toBe(true);
      if (start === end || source.includes('<') || source.includes('BREAK')) return;
      const before = weighed(source);
      for (const [i, { at, weight }] of weighed(after).entries())
        if (at < selection.start || selection.end <= at) expect(weight).toBeCloseTo(before[i].weight, 9);
    }),
    { numRuns: 20_000 },
  );
});
