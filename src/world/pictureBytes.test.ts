import { expect, test } from 'vitest';
import { pictureBytes } from './pictureBytes.ts';
import { pictureLength, pictureSize } from './render.ts';

test('planes of −1 … 1 become pixels of 0 … 255, picture by picture', () => {
  const plane = pictureSize * pictureSize;
  const pictures = new Float32Array(2 * pictureLength).fill(-1);
  pictures[5] = 1;
  pictures[plane + 5] = 0;
  pictures[pictureLength + 2 * plane] = 1.2;
  const rgba = pictureBytes(pictures);
  expect(rgba).toHaveLength(2 * plane * 4);
  expect([...rgba.subarray(20, 24)]).toEqual([255, 128, 0, 255]);
  expect([...rgba.subarray(4 * plane, 4 * plane + 4)]).toEqual([0, 0, 255, 255]);
});
