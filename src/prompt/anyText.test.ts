import { expect, test } from 'vitest';
import fc from '../properties.ts';
import { readA1111Prompt, stepA1111Prompt } from './a1111/a1111Prompt.ts';
import { lintA1111, lintComfy, lintCompel } from './across/lint.ts';
import type { Diagnostic, Fragment, Range } from './ast.ts';
import { parseComfy } from './comfy/comfyPrompt.ts';
import { parseCompel } from './compel/compelPrompt.ts';
import { type Syntax, syntaxes } from './syntax.ts';

const pieces = [
  ...'()[]{}<>:|,.+-"\'\\#=*/ \n\t0123456789abAB',
  ...['\u00a0', '\u0085', '\ufeff', '\ud83d', '\ude00', '😀', '猫', '１', '٣', '\0', '\x01', '\u200d', '\r\n'],
  ...[' AND ', ' BREAK ', '<lora:x:1>', '(a:1.2)', '[a:b:0.5]', '[a|b]', '.and(', '.blend(', '.swap(', '.attend('],
  ...['withLora(', 'embedding:x ', '1.5', '(x)1.2', '++', '--', 's_start=', 'no_normalize', 'inf', 'nan', '1e3'],
];

/** Strings of syntax in any order; a xorshift of 32 bits, which takes no time to speak of. */
function* randomStrings(seed: number, count: number): Generator<string> {
  let state = seed | 1;
  const next = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  for (let i = 0; i < count; i++) {
    let text = '';
    for (let length = next(24); length > 0; length--) text += pieces[next(pieces.length)];
    yield text;
  }
}

interface Reading {
  readonly fragments: readonly Fragment[];
  readonly diagnostics: readonly Diagnostic[];
  /** Lints what was read. */
  lint(): Diagnostic[];
}

const read: Readonly<Record<Syntax, (text: string) => Reading>> = {
  a1111(text) {
    const prompt = readA1111Prompt(text, { role: 'positive' });
    const stepped = stepA1111Prompt(prompt, { steps: 20 });
    const fragments = stepped.parts.flatMap(({ steps }) => steps.flatMap(({ parsed }) => parsed.fragments));
    return { fragments, diagnostics: stepped.diagnostics, lint: () => lintA1111(prompt, stepped) };
  },
  compel(text) {
    const parsed = parseCompel(text);
    return { ...parsed, lint: () => lintCompel(parsed) };
  },
  comfy(text) {
    const parsed = parseComfy(text);
    return { ...parsed, lint: () => lintComfy(parsed, false) };
  },
};

function expectWithin(ranges: readonly Range[], text: string): void {
  for (const { start, end } of ranges)
    if (!(0 <= start && start <= end && end <= text.length)) expect.fail(`${start}–${end} of ${JSON.stringify(text)}`);
}

test.each(syntaxes)(
  '%s: any of 100,000 strings is read, and what is said of it lies in it',
  (syntax) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        for (const text of randomStrings(seed, 100)) {
          const { fragments, diagnostics, lint } = read[syntax](text);
          expectWithin(fragments, text);
          expectWithin(diagnostics, text);
          expectWithin(lint(), text);
        }
      }),
      { numRuns: 1000 },
    );
  },
  600_000,
);

test.each(syntaxes)('%s: so is any of 100 kB', (syntax) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const text = [...randomStrings(seed, 4000)].join('').slice(0, 100_000);
      const { fragments, diagnostics } = read[syntax](text);
      expectWithin(fragments, text);
      expectWithin(diagnostics, text);
    }),
    { numRuns: 5 },
  );
});
