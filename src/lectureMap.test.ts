import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withMap } from './cli/lectureMap.ts';
import { clipTiny, clipVitL14 } from './clip/config.ts';
import { type Size, sizeOf, stages } from './clip/stages.ts';
import { operands, schedule } from './engine/schedule.ts';
import { kernels } from './gpu/kernels.ts';
import { lecture } from './road/lecture.ts';

test('README has the map that the rows print', () => {
  const readme = readFileSync('README.md', 'utf8');
  expect(withMap(readme), 'write it with `npm run map`').toBe(readme);
});

test('every numbered equation that the code computes has a row', () => {
  const covered = new Set(lecture.flatMap(({ equations }) => equations));
  const between = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
  for (const number of [7, ...between(10, 18), ...between(20, 59)]) expect(covered, `eq. ${number}`).toContain(number);
  for (const { title, equations } of lecture) expect(equations, title).toEqual(equations.toSorted((a, b) => a - b));
});

const modules = import.meta.glob<Record<string, unknown>>(['./*/**/*.ts', '!./**/*.test.ts', '!./cli/**']);

test.each(lecture)('$title: the functions are where the row says', async ({ code }) => {
  for (const { file, exports } of code) {
    const module = await modules[file.replace(/^src\//, './')]();
    for (const [name, value] of Object.entries(exports)) expect(module[name], `${name} of ${file}`).toBe(value);
  }
});

/** A step's label or tensor without its layer: `layers.3.mlp.fc1` → `mlp.fc1`, `qkv.3` → `qkv`. */
const withoutLayer = (name: string) => name.replace(/^layers\.\d+\./, '').replace(/\.\d+$/, '');

test.each([
  ['tiny', clipTiny],
  ['full size', clipVitL14],
])('the rows are the steps of the schedule, with their tensors and shapes: %s', (_, config) => {
  const { steps, tensors } = schedule(config, 1);
  const layers = Array.from({ length: config.numHiddenLayers }, (_, layer) => layer);
  const inPlace = (place: string) => stages.filter((stage) => stage.place === place).map(({ key }) => key);
  expect(steps.map(({ label }) => label)).toEqual([
    ...inPlace('before'),
    ...layers.flatMap((layer) => inPlace('layer').map((key) => `layers.${layer}.${key}`)),
    ...inPlace('after'),
  ]);
  for (const step of steps) {
    const stage = stages.find(({ key }) => key === withoutLayer(step.label))!;
    const numbers = (shape: readonly Size[]) => shape.map((size) => sizeOf(size, config));
    const used = [...new Set(step.tensors)].map((name) => {
      const { shape, bySlot } = tensors.get(name)!;
      return { name: withoutLayer(name), shape: bySlot ? shape.slice(1) : shape };
    });
    const listed = [...stage.reads, ...stage.writes].map(({ name, shape }) => ({ name, shape: numbers(shape) }));
    expect(used, step.label).toEqual(listed);
    const written = step.tensors.slice(operands[step.operation].reads.length).map(withoutLayer);
    expect(written, step.label).toEqual(stage.writes.map(({ name }) => name));
  }
});

/** The equations that a text names: "eq. 28, 32 to 34". */
function equationsIn(text: string): Set<number> {
  const found = new Set<number>();
  for (const [, list] of text.matchAll(/eq\. ?((?:\d+(?:, | to | and )?)+)/g))
    for (const [, first, last = first] of list.matchAll(/(\d+)(?: to (\d+))?/g))
      for (let number = Number(first); number <= Number(last); number++) found.add(number);
  return found;
}

test.each(stages)('$title: its kernels exist, and their headers name the equations', ({ shaders, operations }) => {
  const [kernel, shared] = shaders.toReversed();
  const names = Object.keys(kernels).filter((name) =>
    kernel.endsWith('*') ? name.startsWith(kernel.slice(0, -1)) : name === kernel,
  );
  expect(names, kernel).not.toHaveLength(0);
  for (const name of names) {
    const { source } = kernels[name as keyof typeof kernels];
    if (shared) expect(source.startsWith(readFileSync(`shaders/${shared}.wgsl`, 'utf8')), name).toBe(true);
    const comments = source.replaceAll(/\n\/\/ */g, ' ');
    const named = equationsIn(comments);
    for (const { equations } of operations)
      for (const number of equations) expect(named, `${name} names eq. ${number}`).toContain(number);
  }
});
