import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { optionValues, type PromptOptions } from '../road/options.ts';
import { settingNames } from './lab/labSettings.ts';
import { ownNames } from './lab/ownWork.ts';
import { namesOfViews, parameterNames, readReadableLink } from './linkParameters.ts';
import { hideableParts } from './shownParts.ts';
import { viewTitles } from './view.ts';

const text = readFileSync('docs/links.md', 'utf8');
const [bookmark, button] = Array.from(text.matchAll(/```js\n([\s\S]*?)```/g), ([, code]) => code);
const prompts = ({ hash }: URL) => {
  const link = readReadableLink(hash);
  return link.kind === 'shared' ? link.shared.work.prompts : link.infotext;
};
const positive = 'a (red:1.3) cat++ & 100%\n小さな猫';

/** The rows of the table of a link's parameters, by name. */
const rows = new Map(
  Array.from(text.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| (.*) \|$/gm), ([, names, values]) =>
    names.split(', ').map((name) => [name.slice(1, -1), values] as const),
  ).flat(),
);

test('the link in the text is one, and every name is told with each of its values', () => {
  const [, link] = /^(https:\S+#v=1\S+)$/m.exec(text)!;
  expect(prompts(new URL(link))).toEqual({ positive: 'a (red:1.3) car', negative: 'fog' });
  expect([...rows.keys()].toSorted()).toEqual([...parameterNames, ...namesOfViews].toSorted());
  for (const view of Object.keys(viewTitles)) expect(rows.get('view')).toContain(`\`${view}\``);
  const linkNames: Partial<Record<string, string>> = { syntax: 'language', weighting: 'method' };
  for (const [name, values] of Object.entries<(typeof optionValues)[keyof PromptOptions]>(optionValues)) {
    const row = rows.get(linkNames[name] ?? name);
    if ('longest' in values) expect(row, name).toContain(`at most ${values.longest} characters`);
    else if ('least' in values) expect(row, name).toMatch(new RegExp(`\\b${values.least}\\b.* to ${values.most}\\b`));
    else for (const value of values) expect(row, name).toContain(`\`${value}\``);
  }
  const ofLab = Array.from(text.matchAll(/`lab\.(\w+)`/g), ([, name]) => name);
  expect(ofLab.toSorted()).toEqual([...settingNames, ...ownNames].toSorted());
  // One name is one parameter.
  expect(new Set(ofLab).size).toBe(ofLab.length);
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
