import { readFileSync } from 'node:fs';
import { beforeEach, expect, test, vi } from 'vitest';
import { readA1111Prompt } from '../prompt/a1111/a1111Prompt.ts';
import { parseA1111 } from '../prompt/a1111/emphasis.ts';
import { guessSyntax } from '../prompt/across/guessSyntax.ts';
import { parseComfy } from '../prompt/comfy/comfyPrompt.ts';
import { readCompel } from '../prompt/compel/compelGrammar.ts';
import { parseCompel } from '../prompt/compel/compelPrompt.ts';
import type { Side } from '../prompt/side.ts';
import type { Syntax } from '../prompt/syntax.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { defaultOptions } from './options.ts';
import { preparePrompt } from './pipeline.ts';

vi.mock('../prompt/a1111/a1111Prompt.ts', { spy: true });
vi.mock('../prompt/a1111/emphasis.ts', { spy: true });
vi.mock('../prompt/comfy/comfyPrompt.ts', { spy: true });
vi.mock('../prompt/compel/compelGrammar.ts', { spy: true });
vi.mock('../prompt/compel/compelPrompt.ts', { spy: true });

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));

const parsers = { readA1111Prompt, parseA1111, parseCompel, readCompel, parseComfy };

/** Calls of each parser, those without any left out. */
function calls(): Record<string, number> {
  const counts = Object.entries(parsers).map(([name, parser]) => [name, vi.mocked(parser).mock.calls.length] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

beforeEach(() => {
  vi.clearAllMocks();
});

// biome-ignore format: one prompt, one line
test.each<[Syntax, Side, string, Record<string, number>]>([
  ['a1111', 'positive', 'a (cat:1.2), b++ # note', { readA1111Prompt: 1, parseA1111: 1 }],
  ['a1111', 'negative', 'a (cat:1.2) AND b:2', { readA1111Prompt: 1, parseA1111: 1 }],
  ['a1111', 'positive', 'a [cat:dog:0.5], (b)1.2', { readA1111Prompt: 1, parseA1111: 2 }],
  ['a1111', 'negative', 'a [cat|dog|cow] [b|c]', { readA1111Prompt: 1, parseA1111: 6 }],
  ['a1111', 'positive', 'a [cat|dog] AND b AND c:2', { readA1111Prompt: 1, parseA1111: 4 }],
  ['compel', 'positive', 'a (cat) b BREAK c++, (x:1.2)', { parseCompel: 1, readCompel: 1 }],
  ['compel', 'negative', '("a (cat)", "b").and(1, 0.5)', { parseCompel: 1, readCompel: 1 }],
  // Compel's own error: the prompt is read again as text.
  ['compel', 'positive', '("a", "b").and(1)', { parseCompel: 1, readCompel: 2 }],
  ['comfy', 'positive', 'a (cat:1.2), b++ (c)1.2', { parseComfy: 1 }],
  ['comfy', 'negative', 'a [cat:dog:0.5] ("a", "b").and()', { parseComfy: 1 }],
])('%s, %s: %s', (syntax, side, prompt, expected) => {
  const { diagnostics } = preparePrompt(prompt, { ...defaultOptions, syntax }, tokenizer, side);
  guessSyntax(diagnostics);
  expect(calls()).toEqual(expected);
});
