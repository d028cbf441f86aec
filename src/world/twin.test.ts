import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createRandom } from '../models/seededRandom.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { foil, meaningKey } from './description.ts';
import { drawScene, fullDescription, isHeldOut } from './scene.ts';
import { drawTwin } from './twin.ts';
import { batchDrawer, createBatch } from './worldBatch.ts';

test('a twin says the same words, put together otherwise, and has no pair that training never has', () => {
  const random = createRandom(21);
  const seen = { 'colours swapped': 0, 'relation inverted': 0 };
  for (let i = 0; i < 500; i++) {
    const scene = drawScene(random, { count: 2 });
    const twin = drawTwin(random, scene)!;
    const kind = (Object.keys(seen) as (keyof typeof seen)[]).find((kind) => {
      const wrong = foil(fullDescription(scene), kind);
      return wrong && meaningKey(wrong) === meaningKey(fullDescription(twin));
    });
    seen[kind!]++;
    for (const { words } of twin.objects) expect(isHeldOut(words.colour!.word, words.shape)).toBe(false);
  }
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(150);
  expect(seen['colours swapped'] + seen['relation inverted']).toBe(500);
});

test('a share of twins is turned, whose relation is told', () => {
  const random = createRandom(25);
  const isTurned = Array.from({ length: 500 }, () => {
    const scene = drawScene(random, { count: 2 });
    const meaning = meaningKey(fullDescription(drawTwin(random, scene, undefined, 0.6)!));
    return meaning === meaningKey(foil(fullDescription(scene), 'relation turned')!);
  });
  expect(Math.abs(isTurned.filter(Boolean).length / 500 - 0.6)).toBeLessThan(0.08);
  const scene = drawScene(random, { count: 2 });
  const twin = drawTwin(random, scene, { ...fullDescription(scene), relation: null }, 1);
  expect(twin?.relation ?? scene.relation).toBe(scene.relation);
});

test('a twin is drawn as its words say', () => {
  const random = createRandom(22);
  for (let i = 0; i < 200; i++) {
    const { objects, relation } = drawTwin(random, drawScene(random, { count: 2 }), undefined, i % 2)!;
    const [first, second] = objects;
    const [x, y] = [first.x - second.x, first.y - second.y];
    const along = { left: -x, right: x, above: -y, below: y }[relation!];
    expect(along).toBeGreaterThan(first.radius + second.radius);
    for (const { x, y, radius } of objects)
      for (const place of [x, y]) expect(Math.abs(place - 0.5)).toBeLessThan(0.5 - radius);
  }
});

test('a scene of one object has no twin', () => {
  const random = createRandom(23);
  expect(drawTwin(random, drawScene(random, { count: 1 }))).toBeNull();
});

test('a share of captions is lessons, and twins are of one kind', () => {
  const batch = createBatch(400);
  const tokenizer = createTokenizer(readFileSync('public/clip-merges.txt', 'utf8'));
  batchDrawer(tokenizer, { captions: 'complete', count: 2, twins: true, lessonShare: 0.5 })(batch, createRandom(24));
  const isLesson = batch.descriptions.map(({ ground }) => ground === null);
  const share = isLesson.filter(Boolean).length / 400;
  expect(Math.abs(share - 0.5)).toBeLessThan(0.1);
  for (let i = 0; i < 400; i += 2) expect(isLesson[i + 1]).toBe(isLesson[i]);
});
