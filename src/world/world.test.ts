import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { contextLength, padTokenId } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { colourMeans, colourWord, hslOf, hueFrom, rgbOf, sizeWord, toneWord } from './attributes.ts';
import { captionTokens, unknownTokenId, worldTokenIds, worldWords } from './captionIds.ts';
import { drawDescription, drawScene, fullDescription, type Scene, type SceneObject } from './scene.ts';
import { shapeFields } from './shapeFields.ts';
import { batchDrawer, createBatch, pictureOf } from './worldBatch.ts';
import { colours, grounds, heldOutShape, relations, shapes, sizes } from './worldWords.ts';

const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
const share = <T>(list: readonly T[], holds: (item: T) => boolean) => list.filter(holds).length / list.length;
/** Holds a share that was counted in some thousand draws to the one that was meant. */
function expectShare<T>(list: readonly T[], holds: (item: T) => boolean, expected: number): void {
  expect(Math.abs(share(list, holds) - expected), `${share(list, holds)}, not ${expected}`).toBeLessThan(0.02);
}

const draw = (count: number, seed: number, pairs?: 'seen' | 'heldOut' | 'all'): Scene[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => drawScene(random, { pairs }));
};
const isHeldOut = ({ words }: SceneObject) => heldOutShape[words.colour!.word] === words.shape;

describe('draws', () => {
  test('are the same for one seed and stream, and others for any other', () => {
    const first = (seed: number, stream?: number) => createRandom(seed, stream).uint32();
    expect(first(1)).toBe(first(1, 0));
    expect(first(-1)).toBe(first(0xffffffff));
    expect(new Set([first(1), first(2), first(1, 1), first(0), first(2, 1)]).size).toBe(5);
  });

  test('are uniform, and triangular about 0', () => {
    const random = createRandom(5);
    const tens = Array.from({ length: 20_000 }, () => random.below(10));
    for (let i = 0; i < 10; i++) expectShare(tens, (ten) => ten === i, 0.1);
    const spreads = Array.from({ length: 20_000 }, () => random.spread());
    expectShare(spreads, (x) => Math.abs(x) < 0.5, 0.75);
    expect(Math.max(...spreads.map(Math.abs))).toBeLessThan(1);
  });
});

test('the world is the same bits as when its models were trained', () => {
  // A change of these numbers is a change of the world: models that were trained in it have to be trained again.
  const batch = createBatch(64);
  batchDrawer(tokenizer)(batch, createRandom(2026));
  const hash = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex').slice(0, 16);
  expect({
    pictures: hash(new Uint8Array(batch.pictures.buffer)),
    captions: hash(batch.captions.join('\n')),
    inputIds: hash(new Uint8Array(batch.inputIds.buffer)),
  }).toEqual({
    pictures: '879352b64970c6e8',
    captions: '7adf59e6c842daa8',
    inputIds: 'c5638c1ec0e27389',
  });
  const before = batch.pictures.slice();
  batchDrawer(tokenizer)(batch, createRandom(2026));
  expect(batch.pictures).toEqual(before);
});

describe('scenes', () => {
  test('of training never have a pair that is held out, and those that are held out always have one', () => {
    expect(
      share(
        draw(4000, 1).flatMap(({ objects }) => objects),
        isHeldOut,
      ),
    ).toBe(0);
    expect(share(draw(500, 2, 'heldOut'), ({ objects }) => objects.some(isHeldOut))).toBe(1);
    const all = draw(4000, 3, 'all').flatMap(({ objects }) => objects);
    expectShare(all, isHeldOut, 10 / 80);
  });

  test('show every colour, shape and ground often', () => {
    const scenes = draw(4000, 4);
    const objects = scenes.flatMap((scene) => scene.objects);
    for (const colour of colours) expectShare(objects, ({ words }) => words.colour!.word === colour, 0.1);
    for (const shape of shapes)
      expect(
        share(objects, ({ words }) => words.shape === shape),
        shape,
      ).toBeGreaterThan(0.1);
    for (const ground of grounds)
      expect(
        share(scenes, (scene) => scene.ground.word === ground),
        ground,
      ).toBeGreaterThan(0.08);
    expectShare(scenes, (scene) => scene.objects.length === 1, 0.4);
    for (const relation of relations) expectShare(scenes, (scene) => scene.relation === relation, 0.15);
  });

  test('keep objects in the picture, apart, and in the relation', () => {
    for (const { objects, relation } of draw(2000, 5)) {
      for (const { x, y, radius } of objects) {
        expect(Math.min(x, y, 1 - x, 1 - y) - radius).toBeGreaterThan(0.02);
      }
      if (objects.length === 1) continue;
      const [a, b] = objects;
      const [right, down] = [a.x - b.x, a.y - b.y];
      const along = { left: -right, right, above: -down, below: down }[relation!];
      const across = relation === 'left' || relation === 'right' ? down : right;
      expect(along - a.radius - b.radius).toBeGreaterThan(0.049);
      expect(Math.abs(across)).toBeLessThanOrEqual(0.501 * along);
    }
  });

  test('have values that spread over the border to the next word, and grades that move them', () => {
    const objects = draw(6000, 6, 'all').flatMap((scene) => scene.objects);
    const plain = objects.filter(({ words }) => !words.size!.grade && !words.tone?.grade && !words.colour!.grade);
    const other = (worded: (object: SceneObject) => boolean) => share(plain, (object) => !worded(object));
    const bySize = other(({ words, radius }) => words.size!.word === sizeWord(radius));
    const byColour = other(({ words, rgb }) => words.colour!.word === colourWord(rgb));
    const withTone = plain.filter(({ words }) => words.tone);
    const byTone = share(
      withTone,
      ({ words, rgb }) => words.tone!.word !== toneWord(words.colour!.word, hslOf(rgb).lightness),
    );
    // Some, so that a word is a direction and no switch; few, so that it says something.
    for (const overlap of [bySize, byColour, byTone]) {
      expect(overlap).toBeGreaterThan(0.005);
      expect(overlap).toBeLessThan(0.1);
    }
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const radius = (size: string, grade: string | null) =>
      mean(
        objects.filter(({ words }) => words.size!.word === size && words.size!.grade === grade).map((o) => o.radius),
      );
    const order = [
      radius('small', 'very'),
      radius('small', null),
      radius('small', 'slightly'),
      radius('medium', null),
      radius('large', 'slightly'),
      radius('large', null),
      radius('large', 'very'),
    ];
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const purity = (grade: string | null) =>
      mean(
        objects
          .filter(({ words }) => colourMeans[words.colour!.word].hue && words.colour!.grade === grade)
          .map(({ rgb }) => hslOf(rgb).saturation),
      );
    expect(purity('very')).toBeGreaterThan(purity(null) + 0.05);
    expect(purity(null)).toBeGreaterThan(purity('slightly') + 0.1);
  });
});

test('captions leave each attribute unsaid in a third, whatever its value', () => {
  const random = createRandom(7);
  const drawn = Array.from({ length: 6000 }, () => {
    const scene = drawScene(random);
    return { scene, said: drawDescription(random, scene) };
  });
  const first = drawn.map(({ scene, said }) => ({ all: scene.objects[0].words, said: said.objects[0] }));
  for (const attribute of ['colour', 'size', 'filling'] as const)
    expectShare(first, ({ said }) => said[attribute] !== null, 2 / 3);
  const toned = first.filter(({ all }) => all.tone);
  expectShare(toned, ({ said }) => said.tone !== null, 2 / 3);
  expectShare(drawn, ({ said }) => said.ground !== null, 2 / 3);
  expectShare(first, ({ said }) => said.shape === null, 0.075);
  for (const size of sizes) {
    const unsaid = first.filter(({ said }) => said.size === null);
    expectShare(unsaid, ({ all }) => all.size!.word === size, 1 / 3);
  }
  // Words that are said are the scene's.
  for (const { all, said } of first)
    for (const attribute of ['shape', 'colour', 'size', 'tone', 'filling'] as const)
      if (said[attribute] !== null) expect(said[attribute]).toBe(all[attribute]);
});

test('captions that say every outline leave fillings of others unsaid as before', () => {
  const batch = createBatch(1000);
  batchDrawer(tokenizer, { outlinesSaid: true })(batch, createRandom(11));
  const objects = batch.scenes.flatMap((scene, i) =>
    scene.objects.map(({ words }, o) => ({ filling: words.filling, said: batch.descriptions[i].objects[o] })),
  );
  for (const { filling, said } of objects) if (filling === 'outline') expect(said.filling).toBe('outline');
  const filled = objects.filter(({ filling }) => filling === 'filled');
  expectShare(filled, ({ said }) => said.filling !== null, 2 / 3);
  expectShare(objects, ({ said }) => said.size !== null, 2 / 3);
  expect(batch.captions.some((caption) => /outline/.test(caption))).toBe(true);
});

describe('pictures', () => {
  test('fit their shapes into the square −1 … 1 and reach its sides', () => {
    for (const shape of shapes) {
      let [widest, inside] = [0, 0];
      for (let y = -1.5; y <= 1.5; y += 0.02)
        for (let x = -1.5; x <= 1.5; x += 0.02)
          if (shapeFields[shape](x, y) < 0) {
            widest = Math.max(widest, Math.abs(x), Math.abs(y));
            inside += 0.0004;
          }
      expect(widest, shape).toBeGreaterThan(0.75);
      expect(widest, shape).toBeLessThanOrEqual(1);
      expect(inside, shape).toBeGreaterThan(1);
    }
  });

  test('are −1 … 1, their corner is the ground, and an object’s middle its colour', () => {
    const batch = createBatch(200);
    batchDrawer(tokenizer, { pairs: 'all', captions: 'complete' })(batch, createRandom(8));
    expect(batch.pictures.every((channel) => Math.abs(channel) <= 1)).toBe(true);
    batch.scenes.forEach((scene, i) => {
      const picture = pictureOf(batch, i);
      const size = Math.sqrt(picture.length / 3);
      const at = (x: number, y: number) =>
        [0, 1, 2].map((c) => picture[c * size * size + Math.floor(y * size) * size + Math.floor(x * size)] / 2 + 0.5);
      at(0, 0).forEach((channel, c) => {
        expect(channel).toBeCloseTo(scene.ground.rgb[c], 6);
      });
      for (const { words, stroke, x, y, rgb } of scene.objects)
        if (stroke === null && ['circle', 'square', 'star', 'cross'].includes(words.shape))
          at(x, y).forEach((channel, c) => {
            expect(channel, words.shape).toBeCloseTo(rgb[c], 6);
          });
    });
  });

  test('have colours that turn into hue, saturation and lightness and back', () => {
    for (let hue = 0; hue < 360; hue += 7)
      for (const saturation of [0.2, 0.9])
        for (const lightness of [0.2, 0.5, 0.8]) {
          const hsl = hslOf(rgbOf(hue - 360, saturation, lightness));
          expect(hsl.hue).toBeCloseTo(hue, 9);
          expect(hsl.saturation).toBeCloseTo(saturation, 9);
          expect(hsl.lightness).toBeCloseTo(lightness, 9);
        }
    expect(rgbOf(120, 1, 0.5)).toEqual([0, 1, 0]);
    expect(hueFrom('red', 350)).toBeCloseTo(-10, 9);
    expect(hueFrom('black', 0)).toBeNaN();
  });
});

describe('token ids', () => {
  test('each word of the world is one token of CLIP', () => {
    const several = worldWords.filter((word) => captionTokens(tokenizer, word).length !== 1);
    expect(several).toEqual([]);
    const ids = worldTokenIds(tokenizer);
    expect(ids.length).toBe(worldWords.length + 2);
    expect([...ids]).toEqual([...ids].sort((a, b) => a - b));
  });

  test('captions need no other ids, but for unknown words in a tenth of training’s, and fit into 77', () => {
    const known = new Set(worldTokenIds(tokenizer));
    const batch = createBatch(3000);
    batchDrawer(tokenizer)(batch, createRandom(9));
    let withUnknown = 0;
    batch.captions.forEach((caption, i) => {
      const row = [...batch.inputIds.subarray(i * contextLength, (i + 1) * contextLength)];
      const unknown = row.filter((id) => !known.has(id)).length;
      if (unknown > 0) withUnknown++;
      expect(unknown).toBeLessThanOrEqual(4);
      const ids = captionTokens(tokenizer, caption);
      expect(ids.length, caption).toBeLessThanOrEqual(contextLength - 2 - 4);
      expect(row.filter((id) => id !== padTokenId && known.has(id)).length).toBe(ids.length + 1);
      expect(row.at(-1)).toBe(padTokenId);
    });
    expect(Math.abs(withUnknown / batch.size - 0.1)).toBeLessThan(0.02);
    const complete = createBatch(500);
    batchDrawer(tokenizer, { captions: 'complete' })(complete, createRandom(10));
    expect(complete.inputIds.every((id) => known.has(id))).toBe(true);
    complete.scenes.forEach((scene, i) => {
      expect(complete.descriptions[i]).toEqual(fullDescription(scene));
    });
  });

  test('unknown words are any ids but the world’s', () => {
    const known = new Set(worldTokenIds(tokenizer));
    const random = createRandom(11);
    const ids = Array.from({ length: 2000 }, () => unknownTokenId(random, tokenizer, known));
    expect(ids.some((id) => known.has(id))).toBe(false);
    expect(new Set(ids).size).toBeGreaterThan(1900);
  });
});
