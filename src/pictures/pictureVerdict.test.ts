import { expect, test } from 'vitest';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { tokenizer } from '../road/testing/prompts.ts';
import { plainCaption } from '../world/captions.ts';
import type { SeenObject, SeenPicture } from '../world/judge/judge.ts';
import { keepRows } from './keptRows.ts';
import { pictureVerdict, saidIn } from './pictureVerdict.ts';
import type { StepConditioning } from './promptSteps.ts';

const read = (prompt: string, changes: Partial<PromptOptions> = {}) =>
  preparePrompt(prompt, { ...defaultOptions, ...changes }, tokenizer);

test.each<[string, Partial<PromptOptions>, string | null]>([
  ['a (red:1.3) circle left of a blue square, [blurry]', {}, 'red circle left of blue square'],
  ['a [red:blue:0.5] circle', { step: 1 }, 'red circle'],
  ['a [red:blue:0.5] circle', { step: 20 }, 'blue circle'],
  ['red circle AND blue square', {}, 'red circle and blue square'],
  ['red circle AND blue square :-1', {}, 'red circle'],
  ['(red:0) (circle:1.2)', {}, 'circle'],
  ['(red)1.3 circle++', { syntax: 'compel' }, 'red circle'],
  ['a cat on a mat', {}, null],
])('the judge reads %s as “%s”', (prompt, changes, said) => {
  const description = saidIn(read(prompt, changes));
  expect(description && plainCaption(description)).toBe(said);
});

const object = (changes: Partial<SeenObject>): SeenObject => ({
  ...{ shape: 'circle', x: 0.3, y: 0.5, radius: 0.16, rgb: [0.9, 0.1, 0.1], purest: [0.9, 0.1, 0.1], colour: 'red' },
  ...{ size: 'medium', tone: 'light', hue: 0, saturation: 0.8, lightness: 0.5, filling: 'filled', hole: 0, area: 0.08 },
  misfit: 0,
  ...changes,
});
const blueSquare = object({
  ...{ shape: 'square', x: 0.7, colour: 'blue', hue: 223 },
  ...{ rgb: [0.16, 0.36, 0.9], purest: [0.16, 0.36, 0.9] },
});
const seen = (...objects: SeenObject[]): SeenPicture => ({ objects, ground: 'white', groundRgb: [0.95, 0.95, 0.95] });
const said = saidIn(read('a red circle left of a blue square'))!;

test('a verdict names what is wrong', () => {
  expect(pictureVerdict(said, seen(object({}), blueSquare))).toEqual({
    said: 'red circle left of blue square',
    seen: 'red circle left of blue square',
    right: true,
    wrong: [],
  });
  const wrongOf = (...objects: SeenObject[]) => pictureVerdict(said, seen(...objects)).wrong;
  expect(wrongOf(object({}))).toEqual(['the prompt names 2 objects']);
  expect(wrongOf(object({ x: 0.8 }), { ...blueSquare, x: 0.2 })).toEqual(['relation']);
  expect(wrongOf(object({ shape: 'star' }), blueSquare)).toEqual(['shape of the circle']);
  expect(wrongOf({ ...blueSquare, shape: 'circle', x: 0.3 }, blueSquare)).toEqual(['colour of the circle']);
  const twins = saidIn(read('a red star and a blue star'))!;
  expect(pictureVerdict(twins, seen(object({ shape: 'star' }), object({ shape: 'star', x: 0.7 }))).wrong).toEqual([
    'colour of the second',
  ]);
  expect(pictureVerdict(null, seen())).toEqual({ said: null, seen: 'no object', right: null, wrong: [] });
});

test('rows that do not count are those of the empty prompt', () => {
  const { tokens } = read('red star').chunks[0].chunk;
  const rows = Float32Array.from(tokens, (_, row) => row + 1);
  const conditioning: StepConditioning = { parts: [{ weight: 1, rows, tokens }], negative: { rows, tokens } };
  const empty = new Float32Array(77);
  const kept = (selection: Parameters<typeof keepRows>[2]) =>
    Array.from(keepRows(conditioning, empty, selection).parts[0].rows).flatMap((value, row) =>
      value > 0 ? [row] : [],
    );
  expect(kept('all')).toHaveLength(77);
  expect(kept('words')).toEqual([1, 2]);
  expect(kept('eos')).toEqual([3]);
  expect(kept('pad')).toHaveLength(73);
  expect(kept('without-pad')).toEqual([0, 1, 2, 3]);
  expect(keepRows(conditioning, empty, 'eos').negative.rows).toBe(rows);
});
