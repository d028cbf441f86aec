import { expect, test } from 'vitest';
import { linesSvg } from '../attention/linesSvg.ts';
import { originLines, pictureLayout } from './pictureFile.ts';
import { fileName } from './saveFile.ts';
import { signedScale } from './valueScales.ts';

const legend = { title: 'Value', scale: signedScale(1, false) };
const axes = { rows: 'token', columns: 'dimension' };

test('states are as wide as their dimensions allow, their rows as high as the tokens’ names', () => {
  const rows = Array(77).fill('cat');
  const layout = pictureLayout(77, 768, { title: 'State', axes, labels: { rows }, legend });
  expect(layout.cell).toEqual({ width: 1, height: 14 });
  expect(layout).toMatchObject({ rowLabels: true, columnLabels: false });
  expect(layout.width).toBeGreaterThan(768);
});

test.each([1, 9, 77])('a map of %d tokens is square, and labelled', (n) => {
  const labels = { rows: Array(n).fill('cat'), columns: Array(n).fill('cat') };
  const { cell, rowLabels, columnLabels, left, width } = pictureLayout(n, n, { title: 'Map', axes, labels, legend });
  expect(cell.width).toBe(cell.height);
  expect(n * cell.width).toBeLessThanOrEqual(1500);
  expect(left + n * cell.width).toBeLessThanOrEqual(width);
  expect([rowLabels, columnLabels]).toEqual([true, true]);
});

test('a picture of its own size is not enlarged', () => {
  expect(pictureLayout(1000, 900, { title: 'All heads' }).cell).toEqual({ width: 1, height: 1 });
});

test('an attention map as lines: what is masked or faint is left out, and texts are escaped', () => {
  const map = Float32Array.of(1, 0, 0, 0.004, 0.996, 0, 0.3, 0.2, 0.5);
  const mask = Uint8Array.of(1, 0, 0, 1, 1, 0, 1, 1, 1);
  const labels = ['BOS', '<b>', '"&'];
  const svg = linesSvg(
    { map, mask, L: 3, shown: [0, 1, 2], labels },
    {
      title: 'Layer 1 <2>',
      origin: ['positive · tiny', '“a <cat>”'],
      most: 1,
      colours: { background: '#fff', text: '#000', line: '#00f' },
    },
  );
  expect(svg.match(/<path/g)).toHaveLength(5);
  expect(svg).toContain('opacity="0.3"');
  expect(svg).toContain('>&#60;b&#62;<');
  expect(svg).toContain('>Layer 1 &#60;2&#62;<');
  expect(svg).toContain('<title>Layer 1 &#60;2&#62;</title>');
  expect(svg).toContain('>“a &#60;cat&#62;”<');
  expect(svg).not.toContain('NaN');
});

test('lines of what a picture is stand between its title and its cells', () => {
  const text = { title: 'Map', axes };
  const { top } = pictureLayout(9, 9, text);
  expect(pictureLayout(9, 9, text, 2).top - top).toBe(
    pictureLayout(9, 9, text, 4).top - pictureLayout(9, 9, text, 2).top,
  );
  const origin = { inShort: 'positive · chunk 1 of 2', prompts: ['a cat'], saved: '{}' };
  expect(originLines(origin)).toEqual(['positive · chunk 1 of 2 · clipscope', '“a cat”']);
});

test.each([
  [['Layer 1, head 2', 'positive · made-up weights, tiny'], 'layer-1-head-2-positive-made-up-weights-tiny'],
  [['A − B', ''], 'a-b'],
  [['…'], 'picture'],
  [['x'.repeat(80), 'y'], `${'x'.repeat(60)}-y`],
])('%s is saved as %s', (texts, name) => {
  expect(fileName(...texts)).toBe(name);
});
