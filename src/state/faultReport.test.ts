import { expect, test, vi } from 'vitest';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { faultReport } from './faultReport.ts';
import { prepared } from './reading.ts';
import { createClipscopeStore } from './store.ts';
import { idleEncoder, modelInfo, noticesOf, tokenized, tokenizer } from './testing/fakeEncoder.ts';

const open = () =>
  createClipscopeStore({ connect: () => idleEncoder, loadTokenizer: async () => tokenizer, memory: null });
const surroundings = { version: '1.2.3', browser: 'a browser' };

test('a report has the error, the options and the model, and the prompts only where they are asked for', () => {
  const store = open();
  store.setState({ model: modelInfo('my secret model', 'tiny'), prompts: { positive: 'my secret cat', negative: '' } });
  const error = new TypeError('a is undefined');
  const report = (withPrompts: boolean) =>
    faultReport({ place: 'Attention', error }, store.getState(), surroundings, withPrompts);
  const bare = report(false);
  expect(bare).toContain('clipscope 1.2.3: something went wrong in Attention.\nTypeError: a is undefined\n    at ');
  expect(bare.match(/TypeError: a is undefined/g)).toHaveLength(1);
  expect(bare).toContain('"syntax":"a1111"');
  expect(bare).toContain('Browser: a browser');
  expect(bare).toContain('2 layers, F32');
  expect(bare).toContain('Prompts: left out (13 and 0 characters)');
  expect(bare).not.toContain('secret');
  expect(report(true)).toContain('Prompts: {"positive":"my secret cat","negative":""}');
});

test('an error whose stack does not begin with its message has both', () => {
  const error = Object.assign(new Error('no'), { stack: 'render@page.js:1:2' });
  const text = faultReport({ place: 'Masks', error }, open().getState(), surroundings, false);
  expect(text).toContain('Error: no\nrender@page.js:1:2\n');
});

test('a fault is one notice, in a sentence', () => {
  const store = open();
  const fault = { place: 'the page', error: new Error('it broke') };
  store.getState().tellFault(fault);
  store.getState().tellFault(fault);
  expect(noticesOf(store)).toEqual(['Something went wrong in the page: it broke. Your prompts are kept.']);
  expect(store.getState().notices[0].fault).toBe(fault);
});

test('a listener that fails neither stops the others nor whoever changed the facts, and is told of once', () => {
  const store = open();
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  let fails = true;
  store.subscribe(() => {
    if (fails) throw new Error('one picture');
  });
  let heard = 0;
  store.subscribe(() => heard++);
  const type = (prompt: string) => store.getState().setPrompt('positive', prompt);
  type('a cat');
  type('a dog');
  expect(store.getState().prompts.positive).toBe('a dog');
  expect(heard).toBeGreaterThan(1);
  expect(store.getState().notices.map(({ fault }) => fault?.error.message)).toEqual(['one picture']);
  expect(logged).toHaveBeenCalledTimes(1);
  fails = false;
  type('a bird');
  fails = true;
  store.getState().dismiss(store.getState().notices[0].id);
  expect(store.getState().notices).toHaveLength(1);
  logged.mockRestore();
});

test('a prompt at which reading itself fails is not read, and can be changed', async () => {
  const store = open();
  await tokenized(store);
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  const broken: Tokenizer = {
    ...tokenizer,
    tokenize: (source, flavour) => {
      if (source.text.includes('circle')) throw new Error('no such byte');
      return tokenizer.tokenize(source, flavour);
    },
  };
  store.setState({ tokenizer: { phase: 'ready', tokenizer: broken } });
  const { refusal, chunks } = prepared(store.getState(), 'positive')!;
  expect(refusal).toBe('The page failed to read this prompt (no such byte): change it to go on.');
  expect(chunks).toHaveLength(1);
  store.setState({ tokenizer: { phase: 'ready', tokenizer } });
  expect(prepared(store.getState(), 'positive')?.refusal).toBeNull();
  logged.mockRestore();
});
