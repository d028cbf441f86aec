import { expect, test } from 'vitest';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import { tokenizer } from '../road/testing/prompts.ts';
import { plainCaption } from '../world/captions.ts';
import type { SeenObject, SeenPicture } from '../world/judge/judge.ts';
import { keepRows } from './keptRows.ts';
import { pictureVerdict, saidThrough } from './pictureVerdict.ts';
import { readSteps, type StepConditioning } from './promptSteps.ts';

const sayingOf = (prompt: string, changes: Partial<PromptOptions> = {}) => {
  const options = { ...defaultOptions, ...changes };
  return saidThrough(readSteps(prompt, options, tokenizer, 'positive'), options.weighting);
};
const compel = { syntax: 'compel', weighting: 'compel-mask' } as const;

test.each<[string, Partial<PromptOptions>, string | null]>([
  ['a (red:1.3) circle left of a blue square, [blurry]', {}, 'red circle left of blue square'],
  ['red circle AND blue square', {}, 'red circle and blue square'],
  ['red circle AND blue square :-1', {}, 'red circle'],
  ['red circle BREAK blue square', {}, 'red circle and blue square'],
  ['(red:0) (circle:1.2)', {}, 'circle'],
  // A method that applies no weight leaves a word of weight 0 in.
  ['(red:0) (circle:1.2)', { weighting: 'none' }, 'red circle'],
  ['(red)1.3 circle++', compel, 'red circle'],
  ['("a red circle", "a blue square").and()', compel, 'red circle and blue square'],
  ['("a red circle", "masterpiece, a red circle").blend(1, 1)', compel, 'red circle'],
  ['("a red circle", "a blue circle").blend(1, -0.2)', compel, 'red circle'],
  // Every step says the same.
  ['a [shiny:matt:0.5] red circle', {}, 'red circle'],
  ['a [shiny|matt] red circle', {}, 'red circle'],
])('%s, %j: “%s”', (prompt, changes, said) => {
  const { meaning, claim } = sayingOf(prompt, changes);
  expect(meaning && plainCaption(meaning)).toBe(said);
  expect(claim).toBe(`The prompt says “${said}”`);
});

test.each([
  ['a [red:blue:0.5] circle', 'blue circle'],
  ['a [blue::0.5] circle', 'circle'],
  ['a [[red|blue]:green:0.5] circle', 'green circle'],
  ['a [red:[blue:red:0.7]:0.3] circle', 'red circle'],
  ['a [cat:red circle:0.5]', 'red circle'],
])('of %s the last step counts, which says “%s”', (prompt, said) => {
  const { meaning, claim } = sayingOf(prompt);
  expect(plainCaption(meaning!)).toBe(said);
  expect(claim).toBe(`The last step says “${said}”`);
});

test.each<[string, Partial<PromptOptions>, string]>([
  ['a [red|blue] circle', {}, 'The prompt alternates between “red circle” and “blue circle”'],
  ['a [red|blue] circle', { steps: 21 }, 'The prompt alternates between “blue circle” and “red circle”'],
  ['a [green:[red|blue]:0.5] circle', {}, 'The prompt alternates between “red circle” and “blue circle”'],
  [
    'a red circle AND a [blue|green] square',
    {},
    'The prompt alternates between “red circle and blue square” and “red circle and green square”',
  ],
  ['a [red circle|cat]', {}, 'The prompt alternates between “red circle” and other words'],
  [
    '("a red circle", "a blue circle").blend(0.5, 0.5)',
    compel,
    'The prompt is a blend of “red circle” and “blue circle”',
  ],
  ['("a red circle", "a cat").blend(1, 1)', compel, 'The prompt is a blend of “red circle” and other words'],
])('no picture is held to %s', (prompt, changes, claim) => {
  expect(sayingOf(prompt, changes)).toEqual({ meaning: null, claim });
});

test('a prompt without an object of the world claims nothing', () => {
  for (const prompt of ['a cat on a mat', 'a [cat|dog] on a mat', 'a star, a moon and a heart'])
    expect(sayingOf(prompt)).toEqual({ meaning: null, claim: null });
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
const said = sayingOf('a red circle left of a blue square');

test('a verdict names what is wrong', () => {
  expect(pictureVerdict(said, seen(object({}), blueSquare))).toEqual({
    meaning: said.meaning,
    claim: 'The prompt says “red circle left of blue square”',
    seen: 'red circle left of blue square',
    right: true,
    wrong: [],
  });
  const wrongOf = (...objects: SeenObject[]) => pictureVerdict(said, seen(...objects)).wrong;
  expect(wrongOf(object({}))).toEqual(['the prompt names 2 objects']);
  expect(wrongOf(object({ x: 0.8 }), { ...blueSquare, x: 0.2 })).toEqual(['relation']);
  expect(wrongOf(object({ shape: 'star' }), blueSquare)).toEqual(['shape of the circle']);
  expect(wrongOf({ ...blueSquare, shape: 'circle', x: 0.3 }, blueSquare)).toEqual(['colour of the circle']);
  const twins = sayingOf('a red star and a blue star');
  expect(pictureVerdict(twins, seen(object({ shape: 'star' }), object({ shape: 'star', x: 0.7 }))).wrong).toEqual([
    'colour of the second',
  ]);
  const claim = 'The prompt is a blend of “red circle” and “blue circle”';
  const blend = sayingOf('("a red circle", "a blue circle").blend(0.5, 0.5)', compel);
  expect(pictureVerdict(blend, seen())).toEqual({ meaning: null, claim, seen: 'no object', right: null, wrong: [] });
});

test('rows that do not count are those of the empty prompt', () => {
  const { tokens } = preparePrompt('red star', defaultOptions, tokenizer).chunks[0].chunk;
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
