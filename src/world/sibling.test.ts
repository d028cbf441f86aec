import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { type Description, meaningKey, type ObjectWords } from './description.ts';
import {
  briefDescription,
  drawDescription,
  drawScene,
  fullDescription,
  isHeldOut,
  type Scene,
  standOut,
} from './scene.ts';
import { drawSibling } from './sibling.ts';
import { batchDrawer, createBatch, firstAlike } from './worldBatch.ts';

const wordsOf = ({ shape, colour, size, tone, filling }: ObjectWords) => ({
  shape,
  colour: colour?.word,
  size: size?.word,
  tone: tone?.word,
  filling,
});

/** Attributes of each object that two scenes differ in, without the tone that comes or goes with a hue. */
function differences(a: Scene, b: Scene): string[] {
  return a.objects.flatMap(({ words }, i) => {
    const [old, now] = [wordsOf(words), wordsOf(b.objects[i].words)];
    const differing = (Object.keys(old) as (keyof typeof old)[]).filter(
      (attribute) => old[attribute] !== now[attribute],
    );
    return differing.includes('colour') ? differing.filter((attribute) => attribute !== 'tone') : differing;
  });
}

test('a sibling differs in one attribute of one object, and has no pair that training never has', () => {
  const random = createRandom(31);
  const counts: Record<string, number> = {};
  for (let i = 0; i < 600; i++) {
    const scene = drawScene(random);
    const sibling = drawSibling(random, scene, fullDescription(scene));
    if (!sibling) continue;
    const [attribute, ...others] = differences(scene, sibling);
    expect(others).toEqual([]);
    counts[attribute] = (counts[attribute] ?? 0) + 1;
    expect(sibling.relation).toBe(scene.relation);
    const [first, second] = sibling.objects.map(({ words }) => words);
    for (const { words } of sibling.objects) expect(isHeldOut(words.colour!.word, words.shape)).toBe(false);
    if (second) expect([first.shape, first.colour!.word]).not.toEqual([second.shape, second.colour!.word]);
    if (standOut(sibling.objects, scene.ground.word)) expect(sibling.ground).toEqual(scene.ground);
  }
  for (const attribute of ['shape', 'colour', 'size', 'tone', 'filling']) expect(counts[attribute]).toBeGreaterThan(50);
});

test('a sibling differs in what a caption says, so that the caption tells it from the scene', () => {
  const random = createRandom(32);
  const nothing: Description = {
    objects: [{ shape: null, colour: null, size: null, tone: null, filling: null }],
    relation: null,
    ground: null,
  };
  expect(drawSibling(random, drawScene(random, { count: 1 }), nothing)).toBeNull();
  for (let i = 0; i < 300; i++) {
    const scene = drawScene(random);
    const sibling = drawSibling(random, scene, briefDescription(scene));
    if (sibling) expect(['shape', 'colour']).toContain(differences(scene, sibling)[0]);
  }
});

test('families are told with the same attributes, and hardly ever alike', () => {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const batch = createBatch(400);
  batchDrawer(tokenizer, { familyShare: 1 })(batch, createRandom(33));
  const said = ({ objects, relation, ground }: Description) =>
    JSON.stringify([
      objects.map(({ shape, colour, size, filling }) => [!shape, !colour, !size, !filling]),
      !relation,
      !ground,
    ]);
  let relatives = 0;
  let alike = 0;
  for (let i = 0; i < 400; i += 4) {
    const family = batch.descriptions.slice(i, i + 4);
    relatives += family.filter((description) => said(description) === said(family[0])).length;
    alike += 4 - new Set(family.map(meaningKey)).size;
  }
  expect(relatives).toBeGreaterThan(370);
  // Two siblings of one scene may happen to differ from it in the same way.
  expect(alike).toBeLessThan(60);
  expect(firstAlike(batch.descriptions)[0]).toBe(0);
});

test('the last of a family is its third scene’s twin where that is asked for', () => {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const batch = createBatch(200);
  batchDrawer(tokenizer, { captions: 'complete', count: 2, familyShare: 1, siblingTwins: true })(
    batch,
    createRandom(35),
  );
  const words = (i: number) =>
    JSON.stringify(batch.scenes[i].objects.flatMap(({ words }) => Object.values(wordsOf(words))).toSorted());
  for (let i = 0; i < 200; i += 4) {
    expect(words(i + 1)).toBe(words(i));
    expect(words(i + 3)).toBe(words(i + 2));
    expect(words(i + 2)).not.toBe(words(i));
  }
});

test('a family of which nothing is said that could differ has no twin of another number of objects', () => {
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  const batch = createBatch(64);
  // A family of this batch begins with "a shape", and has a scene of two objects in its third place.
  const shares = { familyShare: 0.75, lessonShare: 0.35, plainShare: 0.1, oneColourShare: 0.33 };
  batchDrawer(tokenizer, { twins: true, siblingTwins: true, ...shares })(batch, createRandom(1, 12439));
  for (const [i, { objects }] of batch.descriptions.entries())
    expect(batch.scenes[i].objects).toHaveLength(objects.length);
});

test('plain scenes are black on a light ground', () => {
  const random = createRandom(34);
  for (let i = 0; i < 100; i++) {
    const { objects, ground } = drawScene(random, { plain: true });
    for (const { words } of objects) expect(words.colour!.word).toBe('black');
    expect(['white', 'beige']).toContain(ground.word);
    expect(drawDescription(random, drawScene(random, { plain: true, count: 1 })).relation).toBeNull();
  }
});

test('a pair of one colour differs in its shapes', () => {
  const random = createRandom(36);
  for (let i = 0; i < 100; i++) {
    const [first, second] = drawScene(random, { count: 2, oneColour: true }).objects.map(({ words }) => words);
    expect(second.colour!.word).toBe(first.colour!.word);
    expect(second.shape).not.toBe(first.shape);
  }
});
