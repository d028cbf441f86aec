import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createRandom, normal } from '../models/seededRandom.ts';
import { bosTokenId, contextLength, eosTokenId } from '../tokens/clipVocabulary.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { readCaption } from '../world/captionReading.ts';
import { type Description, meaningKey, type ObjectWords } from '../world/description.ts';
import { clipEmbedder, type Embedder, evaluate, evaluationSet } from './evaluation.ts';
import { trainShortly } from './testing/shortRun.ts';

const merges = readFileSync('public/clip-merges.txt', 'utf8');
const tokenizer = createTokenizer(merges);
const set = evaluationSet(tokenizer, 'heldOut', 120);

function descriptionsOf(inputIds: Uint32Array): Description[] {
  return Array.from({ length: inputIds.length / contextLength }, (_, i) => {
    const ids = inputIds.subarray(i * contextLength, (i + 1) * contextLength);
    return readCaption(tokenizer.decode(ids.filter((id) => id !== bosTokenId && id !== eosTokenId)))!;
  });
}

const E = 32;

/** A model that knows of a caption and of a picture what `seen` leaves of it, and takes all other meanings for unlike. */
function embedderBy(seen: (description: Description) => Description): Embedder {
  const rows = (descriptions: Description[]) => {
    const vectors = descriptions.map((description) => {
      let key = 0;
      for (const letter of meaningKey(seen(description))) key = (Math.imul(key, 31) + letter.charCodeAt(0)) >>> 0;
      const random = createRandom(key);
      const vector = Array.from({ length: E }, () => normal(random));
      return vector.map((value) => value / Math.hypot(...vector));
    });
    return Float64Array.from(vectors.flat());
  };
  return {
    E,
    embedTexts: (inputIds) => rows(descriptionsOf(inputIds)),
    embedPictures: (pictures) => {
      expect(pictures).toBe(set.pictures);
      return rows(descriptionsOf(set.inputIds));
    },
  };
}

const changedObjects = (description: Description, change: (words: ObjectWords) => ObjectWords) => ({
  ...description,
  objects: description.objects.map(change),
});

test('a model that reads captions and pictures without fault has every share at 1', () => {
  expect(
    evaluate(
      embedderBy((description) => description),
      set,
    ),
  ).toEqual({
    textToImage: 1,
    imageToText: 1,
    foils: { 'colours swapped': 1, 'objects swapped': 1, 'relation inverted': 1, 'relation turned': 1 },
    fillerInvariance: 1,
  });
});

test('a model without relations falls for the foils of order alone', () => {
  const { foils } = evaluate(
    embedderBy((description) => ({ ...description, relation: null })),
    set,
  );
  expect(foils).toEqual({ 'colours swapped': 1, 'objects swapped': 0, 'relation inverted': 0, 'relation turned': 0 });
});

test('a model that knows a diagonal alone falls for turned relations', () => {
  const alongDiagonal = { left: 'left', above: 'left', right: 'right', below: 'right' } as const;
  const { foils } = evaluate(
    embedderBy(({ relation, ...rest }) => ({ ...rest, relation: relation && alongDiagonal[relation] })),
    set,
  );
  expect(foils).toEqual({ 'colours swapped': 1, 'objects swapped': 1, 'relation inverted': 1, 'relation turned': 0 });
});

test('a model that sees no colours falls for swapped ones, and finds fewer pictures', () => {
  const blind = (description: Description) =>
    changedObjects(description, (words) => ({ ...words, colour: null, tone: null, size: null, filling: null }));
  const { foils, textToImage, imageToText, fillerInvariance } = evaluate(embedderBy(blind), set);
  expect(foils['colours swapped']).toBe(0);
  expect(foils['relation inverted']).toBeGreaterThan(0.8);
  expect(textToImage).toBeLessThan(0.99);
  expect(imageToText).toBeLessThan(0.99);
  expect(fillerInvariance).toBe(1);
});

test('a set has all foils of scenes with two objects, and is the same at every call', () => {
  const again = evaluationSet(tokenizer, 'heldOut', 120);
  expect(again).toEqual(set);
  expect(evaluationSet(tokenizer, 'seen', 120).pictures).not.toEqual(set.pictures);
  const two = descriptionsOf(set.inputIds).filter(({ objects }) => objects.length === 2).length;
  expect(set.foils['relation inverted'].of).toHaveLength(two);
  expect(set.foils['relation turned'].of).toHaveLength(two);
  expect(set.foils['objects swapped'].of).toHaveLength(two);
  expect(set.foils['colours swapped'].of.length).toBeLessThanOrEqual(two);
});

test('a trained model is measured piece by piece as in one piece', async () => {
  const { model, rows } = await trainShortly(merges, 1, { batch: 40 });
  const measured = [40, 17].map((room) => evaluate(clipEmbedder(model, rows, room), set));
  expect(measured[1]).toEqual(measured[0]);
  const rowsOf = [40, 17].map((room) => clipEmbedder(model, rows, room).embedPictures(set.pictures));
  expect(rowsOf[1]).toEqual(rowsOf[0]);
});
