import { expect, test } from 'vitest';
import fc from '../../properties.ts';
import { parseCompel } from '../compel/compelPrompt.ts';
import recorded from '../recorded/a1111_extra_networks.json';
import { sourceText } from '../sourceText.ts';
import { applyFix } from '../testing/applyFix.ts';
import { promptLoras, removeNetworks } from './extraNetworks.ts';

test.each(recorded)('recorded: $prompt', ({ prompt, text, networks: expected }) => {
  const { text: left, networks } = removeNetworks(sourceText(prompt));
  expect(left.text).toBe(text);
  const byKind: Record<string, unknown[]> = {};
  for (const { kind, args, positional, named } of networks) {
    byKind[kind] = [...(byKind[kind] ?? []), { items: args, positional, named: Object.fromEntries(named) }];
  }
  expect(byKind).toEqual(expected);
});

// biome-ignore format: one prompt, one line
test.each<[string, string, string[]]>([
  ['<lora:a:1> b <lora:c>', ' b ', ['lora a', 'lora c']],
  ['<a:b', '<a:b', []],
  ['<a:>', '<a:>', []],
  ['<a:> b>', '<a:> b>', []],
  ['<:a>', '<:a>', []],
  ['<a>', '<a>', []],
  ['< a:b>', '< a:b>', []],
  ['<a b:c>', '<a b:c>', []],
  ['<a_1:b>', '', ['a_1 b']],
  ['<𝐀½:b>', '', ['𝐀½ b']],
  ['<a:<b:c>', '', ['a <b']],
  ['<<b:c>', '<', ['b c']],
  ['<a:b><', '<', ['a b']],
  ['<a:b>>', '>', ['a b']],
  ['<a: >', '', ['a  ']],
  ['<a::>', '', ['a ']],
  ['\\<a:b\\>', '\\', ['a b\\']],
])('of %j is left %j', (prompt, left, expected) => {
  const { text, networks } = removeNetworks(sourceText(prompt));
  expect(text.text).toBe(left);
  expect(networks.map(({ kind, name }) => `${kind} ${name}`)).toEqual(expected);
});

test.each<[string, { te: number; unet: number; dyn: number | null } | null]>([
  ['lora:a', { te: 1, unet: 1, dyn: null }],
  ['lora:a:0.5', { te: 0.5, unet: 0.5, dyn: null }],
  ['lyco:a:0.5', { te: 0.5, unet: 0.5, dyn: null }],
  ['lora:a:0.5:-2', { te: 0.5, unet: -2, dyn: null }],
  ['lora:a:0.5:1:8', { te: 0.5, unet: 1, dyn: 8 }],
  ['lora:a:te=0.5', { te: 0.5, unet: 0.5, dyn: null }],
  ['lora:a:unet=0.5', { te: 1, unet: 0.5, dyn: null }],
  ['lora:a:0.2:unet=0.5:te=0.1:dyn=4', { te: 0.1, unet: 0.5, dyn: 4 }],
  ['lora:te=0.5:a:0.2', { te: 0.5, unet: 0.5, dyn: null }],
  ['lora:a:0', { te: 0, unet: 0, dyn: null }],
  ['lora:a:0.5:0:0', { te: 0.5, unet: 0, dyn: 0 }],
  ['lora:a:b=c=d', null],
  ['lora:a: ١.５ ', { te: 1.5, unet: 1.5, dyn: null }],
  ['lora:a:1e-1', { te: 0.1, unet: 0.1, dyn: null }],
  ['lora:a:inf', { te: Number.POSITIVE_INFINITY, unet: Number.POSITIVE_INFINITY, dyn: null }],
  ['lora:a:1:1: +1_0 ', { te: 1, unet: 1, dyn: 10 }],
  ['lora:a:b', null],
  ['lora:a:', null],
  ['lora:a:0,5', null],
  ['lora:a:b:te=1', null],
  ['lora:a:1:x', null],
  ['lora:a:1:1:4.0', null],
  ['lora:a:1:1:1e1', null],
  ['lora:a:dyn=x', null],
  ['lora:te=1', null],
  ['hypernet:a:b', null],
  ['Lora:a', null],
])('<%s> multiplies by %j', (tag, expected) => {
  expect(removeNetworks(sourceText(`<${tag}>`)).networks[0].multipliers).toEqual(expected);
});

test('arguments with exactly one equals sign are named', () => {
  const [network] = removeNetworks(sourceText('<x:a:b=c:d=e=f:=:b=g:__proto__=h>')).networks;
  expect(network.args).toEqual(['a', 'b=c', 'd=e=f', '=', 'b=g', '__proto__=h']);
  expect(network.positional).toEqual(['a', 'd=e=f']);
  expect([...network.named]).toEqual([
    ['b', 'g'],
    ['', ''],
    ['__proto__', 'h'],
  ]);
});

test('ranges are those of the prompt', () => {
  const { text, networks } = removeNetworks(sourceText('a<lora:x>b'));
  expect(text).toEqual({ text: 'ab', starts: [0, 9], ends: [1, 10] });
  expect(networks[0]).toMatchObject({ type: 'network', start: 1, end: 9 });
});

// biome-ignore format: one prompt, one line
test.each<[string, string, string, string | null]>([
  ['a <3:heart> b', 'unknown-network', '<3:heart>', 'a < 3:heart> b'],
  ['a <Lora:x:1> b', 'unknown-network', '<Lora:x:1>', 'a < Lora:x:1> b'],
  ['<lora:x:abc>', 'unreadable-network', '<lora:x:abc>', null],
  ['<lora:te=1>', 'unreadable-network', '<lora:te=1>', null],
  ['a <lora:x:1, b', 'unclosed-network', '<lora:', 'a <lora:x:1>, b'],
  ['<lora:x', 'unclosed-network', '<lora:', '<lora:x>'],
  ['(<lyco:x:1)', 'unclosed-network', '<lyco:', '(<lyco:x:1>)'],
  ['<lora: x', 'unclosed-network', '<lora:', null],
])('%j: %s at %j, mended as %j', (prompt, code, place, fixed) => {
  const { diagnostics } = removeNetworks(sourceText(prompt));
  expect(diagnostics).toHaveLength(1);
  const [diagnostic] = diagnostics;
  expect(diagnostic.code).toBe(code);
  expect(prompt.slice(diagnostic.start, diagnostic.end)).toBe(place);
  expect(diagnostic.message).toMatch(/^(?:(?!\. ).)+\.$/);
  if (fixed === null) expect(diagnostic.fix).toBeUndefined();
  else {
    expect(applyFix(prompt, diagnostic)).toBe(fixed);
    expect(removeNetworks(sourceText(fixed)).diagnostics).toEqual([]);
  }
});

test.each(['<lora:a:1>', '<hypernet:a:x>', 'a < b: c', '<a:b', '1 < 2 :> 3'])('says nothing about %j', (prompt) => {
  expect(removeNetworks(sourceText(prompt)).diagnostics).toEqual([]);
});

// biome-ignore format: one prompt, one line
test.each<[string, [string, number][]]>([
  ['<lora:a> <lyco:b:0.5> <hypernet:c:1>', [['a', 1], ['b', 0.5]]],
  ['<lora:a:0.5:0.25> <lora:b:1:te=-0.3>', [['a', 0.5], ['b', -0.3]]],
  // One network for a name, with the last multiplier.
  ['<lora:a:0.5> <lora:a:0.3>', [['a', 0.3], ['a', 0.3]]],
  ['<lora:a:0.5> <lora:b:1> <lyco:a:te=0>', [['a', 0], ['b', 1], ['a', 0]]],
  ['<lora:a:0.5> <lora:A:0.3>', [['a', 0.5], ['A', 0.3]]],
  ['<lora:a:1> <lora:a:0.5>', [['a', 0.5], ['a', 0.5]]],
  ['<lora:a:1> <lora:b:x>', []],
  ['<lora:a:1> <lora>', [['a', 1]]],
  ['<lora:a:inf>', []],
])('LoRAs that A1111 merges for %j', (prompt, loras) => {
  const { networks } = removeNetworks(sourceText(prompt));
  expect(promptLoras(networks).map(({ name, multiplier }) => [name, multiplier])).toEqual(loras);
});

test('LoRAs that a Compel prompt asks for', () => {
  const networks = parseCompel('withLora(a, .5) cat useLora(b)').nodes.filter((node) => node.type === 'network');
  expect(promptLoras(networks)).toEqual([
    { name: 'a', multiplier: 0.5, unet: 0.5 },
    { name: 'b', multiplier: 1, unet: 1 },
  ]);
});

test('tags and what is left make up the prompt', () => {
  const unit = fc.constantFrom('<', '>', ':', '=', 'a', 'lora', '1', ' ', '\n', '😀', '\ud83d');
  fc.assert(
    fc.property(fc.string({ unit }), (prompt) => {
      const { text, networks } = removeNetworks(sourceText(prompt));
      let left = '';
      let position = 0;
      for (const { start, end, kind, args } of networks) {
        expect(prompt.slice(start, end)).toBe(`<${kind}:${args.join(':')}>`);
        left += prompt.slice(position, start);
        position = end;
      }
      expect(text.text).toBe(left + prompt.slice(position));
      expect(text.starts.map((start) => prompt[start]).join('')).toBe(text.text);
    }),
    { numRuns: 500 },
  );
});

test.each(['<', '<a:', '<a:>', '<a:b>', '<a', '<lora:x '])('%j, over and over, is read at once', (part) => {
  const { text } = removeNetworks(sourceText(part.repeat(100_000 / part.length)));
  expect(text.starts).toHaveLength(text.text.length);
});
