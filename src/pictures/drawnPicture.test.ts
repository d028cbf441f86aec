import { expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { pictureLength, pictureSize, renderScene } from '../world/render.ts';
import { drawScene } from '../world/scene.ts';
import { drawnLength, shownPicture, withCover } from './drawnPicture.ts';

test('a drawn picture has what is shown, and where each colour of it is an object’s', () => {
  const random = createRandom(4);
  const scenes = Array.from({ length: 20 }, () => drawScene(random, {}));
  const pictures = new Float32Array(scenes.length * pictureLength);
  for (const [i, scene] of scenes.entries()) renderScene(scene, pictures, i * pictureLength);
  const drawn = withCover(scenes, pictures);
  expect(drawn.length).toBe(scenes.length * drawnLength);
  const plane = pictureSize * pictureSize;
  for (const [i, { ground, objects }] of scenes.entries()) {
    const shown = shownPicture(drawn, i);
    expect(shown).toEqual(pictures.subarray(i * pictureLength, (i + 1) * pictureLength));
    const cover = drawn.subarray(i * drawnLength + pictureLength, (i + 1) * drawnLength);
    expect(cover).toContain(1);
    for (let pixel = 0; pixel < plane; pixel++) {
      const isOf = ({ rgb }: { readonly rgb: readonly number[] }) =>
        rgb.every((value, c) => Math.abs(2 * value - 1 - shown[c * plane + pixel]) < 1e-6);
      expect(cover[pixel]).toBeGreaterThanOrEqual(-1);
      expect(cover[pixel]).toBeLessThanOrEqual(1);
      if (cover[pixel] === -1) expect(isOf(ground)).toBe(true);
      if (cover[pixel] === 1) expect(objects.some(isOf)).toBe(true);
    }
  }
});
