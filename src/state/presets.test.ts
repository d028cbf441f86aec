import { expect, test } from 'vitest';
import { defaultOptions } from '../road/options.ts';
import { changedOptions, defaultsOf, optionsInShort, presets, withPreset } from './presets.ts';

test('the defaults of a program are told apart from changed options', () => {
  expect(optionsInShort(defaultOptions)).toBe('A1111 defaults ✓');
  expect(optionsInShort(defaultsOf('comfy'))).toBe('ComfyUI defaults ✓');
  expect(optionsInShort({ ...defaultOptions, mask: 'hf', clipSkip: 2, steps: 30, step: 4 })).toBe('2 changed');
  expect(changedOptions({ ...defaultOptions, mask: 'hf', clipSkip: 2 })).toEqual(['mask', 'clipSkip']);
});

test('presets have each program’s own tokenizer; one that is chosen by name counts as changed where it is another', () => {
  for (const { options } of presets) expect(options.tokenizer).toBe('program');
  expect(changedOptions({ ...defaultsOf('comfy'), tokenizer: 'hf-slow' })).toEqual([]);
  expect(changedOptions({ ...defaultsOf('comfy'), tokenizer: 'hf-slow-ftfy' })).toEqual(['tokenizer']);
});

test('a preset keeps the prompt’s steps', () => {
  for (const preset of presets)
    expect(withPreset({ ...defaultOptions, steps: 30, step: 4 }, preset)).toEqual({
      ...preset.options,
      steps: 30,
      step: 4,
    });
  const lecture = presets.find(({ name }) => name === 'As in the lecture')!;
  expect(optionsInShort(withPreset({ ...defaultOptions, steps: 30 }, lecture))).toBe('As in the lecture');
});
