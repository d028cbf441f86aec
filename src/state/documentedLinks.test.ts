import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { methodNames } from '../weighting/methods.ts';
import { parameterNames, readReadableLink } from './linkParameters.ts';
import { hideableParts } from './shownParts.ts';

const text = readFileSync('docs/links.md', 'utf8');
const [bookmark, button] = Array.from(text.matchAll(/```js\n([\s\S]*?)```/g), ([, code]) => code);
const prompts = ({ hash }: URL) => {
  const link = readReadableLink(hash);
  return link.kind === 'shared' ? link.shared.work.prompts : link.infotext;
};
const positive = 'a (red:1.3) cat++ & 100%\n小さな猫';

test('the link in the text is one, and every name and method is told', () => {
  const [, link] = /^(https:\S+#v=1\S+)$/m.exec(text)!;
  expect(prompts(new URL(link))).toEqual({ positive: 'a (red:1.3) car', negative: 'fog' });
  for (const name of [
    'v',
    'prompt',
    'negative',
    'language',
    'method',
    'view',
    'side',
    'chunk',
    'layer',
    'head',
    'stage',
  ]) {
    expect(parameterNames).toContain(name);
    expect(text).toContain(`\`${name}\``);
  }
  for (const method of methodNames) expect(text).toContain(`\`${method}\``);
  for (const part of hideableParts) expect(text).toMatch(new RegExp(`\`${part}\`|hide=${part}`));
});

test('the bookmark opens the text that is marked, or in the field with the cursor', () => {
  const open = vi.fn();
  const run = (marked: string, value?: string) => {
    const code = new Function('document', 'getSelection', 'prompt', 'open', bookmark.replace('javascript:', ''));
    code(
      { activeElement: { value } },
      () => marked,
      () => 'asked',
      open,
    );
    return prompts(new URL(open.mock.lastCall![0]));
  };
  expect(run(positive)).toEqual({ positive, negative: '' });
  expect(run('', 'a field')).toEqual({ positive: 'a field', negative: '' });
  expect(run('')).toEqual({ positive: 'asked', negative: '' });
  expect(run('a fox\nNegative prompt: fog\nSteps: 20, Sampler: Euler, Seed: 1')).toMatchObject({
    negativePrompt: 'fog',
  });
});

test('the button opens both prompts of the web UI', () => {
  const values: Record<string, string> = {
    '#txt2img_prompt textarea': positive,
    '#txt2img_neg_prompt textarea': 'fog',
  };
  const made: { onclick?(): void } = {};
  const append = vi.fn();
  const root = {
    querySelector: (selector: string) => (selector in values ? { value: values[selector] } : { append }),
  };
  const open = vi.fn();
  const code = new Function('onUiLoaded', 'gradioApp', 'document', 'open', button);
  code(
    (loaded: () => void) => loaded(),
    () => root,
    { createElement: () => made },
    open,
  );
  expect(append).toHaveBeenCalledWith(made);
  made.onclick!();
  expect(prompts(new URL(open.mock.lastCall![0]))).toEqual({ positive, negative: 'fog' });
  // Twenty lines, as a text for people to copy ought to be.
  expect(button.trim().split('\n').length).toBeLessThanOrEqual(20);
});
