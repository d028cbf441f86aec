import { describe, expect, test } from 'vitest';
import fc from '../../properties.ts';
import { sameChooser, seededChooser } from '../comfy/dynamicPrompt.ts';
import { applyEdits } from '../edits.ts';
import { parsePrompt } from '../parsePrompt.ts';
import { type Syntax, syntaxes } from '../syntax.ts';
import { changeWeight } from './weightKeys.ts';

/** Takes the marks `‹…›` or `|` out of a prompt: returns the text without them and the selection they stood for. */
function marked(text: string) {
  const start = text.search(/[‹¦]/);
  const end = text.includes('¦') ? start : text.indexOf('›') - 1;
  return { source: text.replace(/[‹›¦]/g, ''), selection: { start, end } };
}

function mark(source: string, { start, end }: { start: number; end: number }): string {
  if (start === end) return `${source.slice(0, start)}¦${source.slice(start)}`;
  return `${source.slice(0, start)}‹${source.slice(start, end)}›${source.slice(end)}`;
}

function press(text: string, step: number, syntax: Syntax = 'a1111', choices?: readonly number[]): string | null {
  const { source, selection } = marked(text);
  const chooser = choices && sameChooser(choices.map((chosen) => ({ chosen })));
  const change = changeWeight(parsePrompt(source, syntax, chooser), selection, step, syntax);
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

test.each(['‹a cat AND a dog›', '‹a cat :1.5›', 'aspect ‹16:9›', '[‹a|b›] c', '‹a cat # note›'])(
  'A1111 would read more than a weight in %s, so nothing is written',
  (text) => expect(press(text, 0.1)).toBeNull(),
);

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

describe('ComfyUI', () => {
  test.each([
    ['a re¦d car', 0.05, 'a (re¦d:1.05) car'],
    ['cat \\(ani¦mal\\), b', 0.05, 'cat (\\(ani¦mal\\):1.05), b'],
    ['a\\¦ b', 0.05, '(a\\¦ b:1.05)'],
    ['(r¦ed:1.3)', 0.05, '(r¦ed:1.35)'],
    ['(r¦ed)', 0.05, '(r¦ed:1.15)'],
    ['(r¦ed)', -0.1, 'r¦ed'],
    ['(r¦ed:1.05)', -0.05, 'r¦ed'],
    ['a(r¦ed:1.05)car', -0.05, 'a r¦ed car'],
    ['(r¦ed:-0.5)', -0.05, '(r¦ed:-0.55)'],
    ['(r¦ed:0.02)', -0.05, '(r¦ed:0)'],
    ['(r¦ed:1e1)', 0.05, '(r¦ed:10.05)'],
    ['(r¦ed:inf)', 0.05, null],
    ['(r¦ed:nan)', 0.05, null],
    // A number counts from what is around it.
    ['(a ‹b›:1.3)', 0.05, '(a (‹b›:1.35):1.3)'],
    ['(a (‹b›:1.35):1.3)', -0.05, '(a ‹b›:1.3)'],
    ['(a (b¦:1.05):1.3)', -0.05, '(a (b¦:1):1.3)'],
    ['((a ‹b›))', 0.05, '((a (‹b›:1.25)))'],
    ['(a (b¦):1.2)', 0.05, '(a (b¦:1.35):1.2)'],
    ['(a (b¦):1.2)', -0.05, '(a (b¦:1.3):1.2)'],
    ['(a ‹b›:0)', -0.05, null],
    // Directly in one another, the innermost counts.
    ['((x¦:1.2))', 0.05, '(x¦:1.25)'],
    ['((x¦:1.2):1.1)', 0.05, '(x¦:1.25)'],
    ['((x¦):1.2)', 0.05, '(x¦:1.35)'],
    // Words with a number keep it when more is selected, unless there are no others.
    ['‹a (b:1.2) c›', 0.05, '(‹a (b:1.2) c›:1.05)'],
    ['‹(a:1.2), (b:1.3)›', 0.05, '(‹a:1.25), (b›:1.35)'],
    // Nothing else means anything.
    ['[r¦ed]', 0.05, '[(r¦ed:1.05)]'],
    ['a BRE¦AK b', 0.05, 'a (BRE¦AK:1.05) b'],
    ['[a¦:b:0.5]', 0.05, '[(a¦:1.05):b:0.5]'],
    ['<lora:x¦:0.8>', 0.05, '<lora:(x¦:1.05):0.8>'],
    // A name needs its beginning, and a space before it.
    ['a embedding:fo¦o, b', 0.05, 'a (embedding:fo¦o:1.05), b'],
    ['a embed‹ding:foo, b›', 0.05, 'a (‹embedding:foo, b›:1.05)'],
    [',(embedding:fo¦o:1.05)', -0.05, ', embedding:fo¦o'],
    // Without its own brackets, this number would be for those around.
    ['(b (a:2¦:1.15))', -0.05, '(b (a:2¦:1.1))'],
    // Brackets that are text stay text.
    ['‹(a b›', 0.05, '(‹(a b›:1.05)'],
    ['‹a) b›', 0.05, null],
    ['(un¦closed', 0.05, null],
    ['()¦', 0.05, null],
  ] as const)('%s by %d', (before, step, after) => expect(press(before, step, 'comfy')).toBe(after));
});

describe('Compel', () => {
  test.each([
    ['a re¦d car', 0.05, 'a (re¦d)1.05 car'],
    ['re¦d, car', 0.05, '(re¦d)1.05, car'],
    ['the e¦nd.', 0.05, 'the (e¦nd)1.05.'],
    ['v1.5¦ b', 0.05, '(v1.5¦)1.05 b'],
    ['cat \\(ani¦mal\\)', 0.05, 'cat (\\(ani¦mal\\))1.05'],
    ['[a¦|b] BREAK', 0.05, '[ (a¦)1.05|b] BREAK'],
    ['a BRE¦AK b', 0.05, 'a (BRE¦AK)1.05 b'],
    ['a ‹red car›, b', 0.05, 'a (‹red car›)1.05, b'],
    // Numbers in their place.
    ['(x¦)1.05', 0.05, '(x¦)1.1'],
    ['(x)1.0¦5', 0.05, '(x)1.1¦'],
    ['"x y¦"1.2', 0.05, '"x y¦"1.25'],
    ['x¦.attend(1.2)', 0.05, 'x¦.attend(1.25)'],
    ['(x¦)0', 0.05, '(x¦)0.05'],
    ['(x¦)0.02', -0.05, '(x¦)0'],
    // Signs become one.
    ['x¦++', 0.05, '(x¦)1.25'],
    ['x++¦', 0.05, '(x)1.25¦'],
    ['x¦--', 0.05, '(x¦)0.85'],
    ['‹x›++', -0.05, '(‹x›)1.2'],
    ['(x y¦)++', 0.05, '(x y¦)1.25'],
    ['"x y¦"+', -0.05, '"x y¦"1.05'],
    ['"x y"¦.attend(--)', 0.05, '"x y"¦.attend(0.85)'],
    ['x¦.attend(+)', 0.05, 'x¦.attend(1.15)'],
    // Directly in one another, all are one.
    ['((x¦)1.2)1.1', 0.05, '(x¦)1.35'],
    ['((x¦)+)+', 0.05, '(x¦)1.25'],
    ['(x¦+)+', 0.05, '(x¦)1.25'],
    ['(a (r¦ed)1.05)1.3', 0.05, '(a (r¦ed)1.1)1.3'],
    ['(a ‹b›)1.3', 0.05, '(a (‹b›)1.05)1.3'],
    // Brackets and quotes without a weight get one.
    ['(re¦d)', 0.05, '(re¦d)1.05'],
    ['‹(red car)›', 0.05, '(‹red car›)1.05'],
    ['"‹red car›"', 0.05, '"‹red car›"1.05'],
    ['‹(a) (b)›', 0.05, '(‹(a) (b)›)1.05'],
    ['(red¦ car)', 0.05, '((red¦)1.05 car)'],
    ['(a ‹b) c›', 0.05, '(‹(a b) c›)1.05'],
    ['a "b ‹c" d›', 0.05, 'a (‹"b c" d›)1.05'],
    // Spaces where the brackets or the number would touch what is next to them.
    ['foo‹bar›', 0.05, 'foo (‹bar›)1.05'],
    ['‹foo›bar', 0.05, '(‹foo›)1.05bar'],
    ['‹x›5', 0.05, '(‹x›)1.05 5'],
    ['x ‹y›.5', 0.05, 'x (‹y›)1.05.5'],
    ['(x)1.95¦.3', 0.05, '(x)2 ¦.3'],
    ['(x¦)+1', 0.05, '(x¦)1.15 1'],
    ['(x¦)+-', 0.05, '(x¦)1.15-'],
    // At 1 they go, unless that would be read otherwise.
    ['(x¦)1.05', -0.05, 'x¦'],
    ['(x y)1.05¦, z', -0.05, 'x y¦, z'],
    ['x¦+', -0.1, 'x¦'],
    ['"x y¦"+', -0.1, 'x y¦'],
    ['x¦.attend(1.05)', -0.05, 'x¦'],
    ['(a (r¦ed)1.05)1.3', -0.05, '(a r¦ed)1.3'],
    ['(x¦)1.05b', -0.05, 'x¦ b'],
    ['(x¦)1.05+', -0.05, 'x¦ +'],
    ['"a.b+ c¦"1.05', -0.05, '"a.b+ c¦"'],
    ['((ca¦t)1.05, dog).and()', -0.05, '((ca¦t)1, dog).and()'],
    // The words of parts.
    ['("a c¦at", "b").and()', 0.05, '("a (c¦at)1.05", "b").and()'],
    ['("‹a cat›", "b").and(1, 0.5)', 0.05, '("(‹a cat›)1.05", "b").and(1, 0.5)'],
    ['(ca¦t, dog).blend(1, 1)', 0.05, '(((ca¦t)1.05), dog).blend(1, 1)'],
    ['(((ca¦t)1.05), dog).blend(1, 1)', 0.05, '(((ca¦t)1.1), dog).blend(1, 1)'],
    ['("a", (re¦d)).and()', 0.05, '("a", ((re¦d)1.05)).and()'],
    ['ca¦t.swap(dog)', 0.05, '((ca¦t)1.05).swap(dog)'],
    ['((ca¦t)1.05).swap(dog)', -0.05, '(ca¦t).swap(dog)'],
    ['cat.swap(do¦g)', 0.05, 'cat.swap((do¦g)1.05)'],
    ['withLora(fo¦o, 0.8) cat', 0.05, 'withLora(fo¦o, 0.85) cat'],
  ] as const)('%s by %d', (before, step, after) => expect(press(before, step, 'compel')).toBe(after));

  test.each([
    '(‹"x", b›).and()',
    '("x", b).and(1, 0¦.5)',
    '("x", "b").a¦nd()',
    'withLora(fo¦o)',
    '‹withLora(foo)›',
    'word.x¦+',
    'a=b¦',
    '++¦a',
    '""¦',
    '‹a) b›',
    '‹a (b›',
    // It would be unescaped less often.
    '\\\\\\(¦ b',
  ])('%s stays', (text) => expect(press(text, 0.05, 'compel')).toBeNull());
});

const characters: Record<Syntax, fc.Arbitrary<string>> = {
  a1111: fc.constantFrom(
    ...'((([[[)))]]]:::||,,..  \\\\ab1',
    'BREAK',
    ' BREAK ',
    ':1.2)',
    ':0.5]',
    '<lora:x:0.5>',
    '\n',
    '😀',
    '\ud800',
  ),
  comfy: fc.constantFrom(...'(((())))::,. []\\ab1', ':1.2)', ':1.1)', ':0)', ':-1)', ' embedding:x', '\\(', '\n', '😀'),
  compel: fc.constantFrom(
    ...'(((()))"",,..  ++--=\\ab1',
    ')1.2',
    ')0',
    '"1.05',
    'a+',
    '.attend(1.1)',
    '("a", ',
    ').and()',
    ').blend(1, 2)',
    '.swap(',
    'withLora(x, 0.5)',
    '\\(',
    '\n',
    '😀',
  ),
};

/** The characters that are encoded, spaces aside, with their weights and where they were typed. */
function weighed(source: string, syntax: Syntax) {
  return parsePrompt(source, syntax)
    .fragments.flatMap(({ text, starts, weight }) => text.split('').map((unit, i) => ({ unit, at: starts[i], weight })))
    .filter(({ unit }) => /\S/.test(unit));
}

test.each(syntaxes)('%s: whatever is typed and selected, the text stays, and so do the weights around', (syntax) => {
  const anyTag = (source: string) =>
    weighed(source, syntax)
      .map(({ unit }) => unit)
      .join('')
      .replace(/<lora:x:[^<>]*>/g, '<lora:x:>');
  const selections = fc.tuple(fc.array(characters[syntax], { maxLength: 24 }), fc.nat(), fc.nat());
  fc.assert(
    fc.property(selections, fc.constantFrom(0.05, -0.05, 0.1, -0.1), ([typed, a, b], step) => {
      const source = typed.join('');
      const [start, end] = [a % (source.length + 1), b % (source.length + 1)].sort((x, y) => x - y);
      const change = changeWeight(parsePrompt(source, syntax), { start, end }, step, syntax);
      if (!change) return;
      const after = applyEdits(source, change.edits);
      expect(anyTag(after)).toBe(anyTag(source));
      const { selection } = change;
      expect(0 <= selection.start && selection.start <= selection.end && selection.end <= after.length).toBe(true);
      if (start === end || source.includes('<') || source.includes('BREAK')) return;
      const before = weighed(source, syntax);
      for (const [i, { at, weight }] of weighed(after, syntax).entries()) {
        if (at < selection.start || selection.end <= at) expect(weight).toBeCloseTo(before[i].weight, 9);
        // A1111's weights may turn others around.
        else if (syntax !== 'a1111') expect((weight - before[i].weight) * step).toBeGreaterThan(-1e-9);
      }
    }),
    { numRuns: syntax === 'a1111' ? 7000 : 1500 },
  );
});

describe('ComfyUI’s page: comments stay, and so do options that are not chosen', () => {
  test.each<[string, number[], number, string | null]>([
    ['a ca¦t // dog', [], 0.05, 'a (ca¦t:1.05) // dog'],
    ['a ca¦t// dog', [], 0.05, 'a (ca¦t:1.05)// dog'],
    ['a /*x*/ca¦t', [], 0.05, 'a /*x*/(ca¦t:1.05)'],
    ['a cat // do¦g', [], 0.05, null],
    ['‹a cat // dog›', [], 0.05, '(‹a cat›:1.05) // dog'],
    ['‹a /* b */ c›', [], 0.05, '(‹a /* b */ c›:1.05)'],
    ['a /* ‹b */ c›', [], 0.05, 'a /* b */ (‹c›:1.05)'],
    ['(re¦d:1.05 /* b */)', [], -0.05, '(re¦d:1 /* b */)'],
    ['{re¦d|blue} car', [0], 0.05, '{(re¦d:1.05)|blue} car'],
    ['{re¦d|blue} car', [1], 0.05, null],
    ['{‹red›|blue} car', [1], 0.05, null],
    ['{red|‹blue} car›', [1], 0.05, '(‹{red|blue} car›:1.05)'],
    ['a ‹{red|blue}›', [0], 0.05, 'a (‹{red|blue}›:1.05)'],
    ['a \\{re¦d\\}', [], 0.05, 'a (\\{re¦d\\}:1.05)'],
    ['({a|b}¦:1.{2|3})', [0, 1], 0.05, null],
  ])('%s, %j, %d', (before, choices, step, after) => {
    expect(press(before, step, 'comfy', choices)).toBe(after);
  });

  test('whatever is typed and selected', () => {
    const pieces = ['{', '|', '}', '{a|b}', '//', '/*', '*/', '(', ')', ':1.2)', 'a', 'b ', ', ', '\\', '\n'];
    const typing = fc.array(fc.constantFrom(...pieces), { maxLength: 16 });
    fc.assert(
      fc.property(typing, fc.nat(), fc.nat(), fc.nat(), fc.boolean(), (parts, seed, a, b, up) => {
        const source = parts.join('');
        const [start, end] = [a % (source.length + 1), b % (source.length + 1)].sort((x, y) => x - y);
        const before = parsePrompt(source, 'comfy', seededChooser(seed));
        const change = changeWeight(before, { start, end }, up ? 0.05 : -0.05, 'comfy');
        if (!change) return;
        const typed = applyEdits(source, change.edits);
        const after = parsePrompt(typed, 'comfy', sameChooser(before.page!.choices));
        const aside = (text: string, { page }: typeof before) => [
          ...page!.comments.map((one) => text.slice(one.start, one.end)),
          ...page!.choices.flatMap(({ options, chosen }) =>
            options.map((one, i) => (i === chosen ? '' : text.slice(one.start, one.end))),
          ),
        ];
        expect(aside(typed, after)).toEqual(aside(source, before));
        const read = (prompt: typeof before) =>
          prompt.fragments
            .map(({ text }) => text)
            .join('')
            .replace(/\s/g, '');
        expect(read(after)).toBe(read(before));
      }),
      { numRuns: 2000 },
    );
  });
});
