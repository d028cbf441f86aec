import { createRandom } from '../../models/seededRandom.ts';
import { colourWord } from '../attributes.ts';
import { foil, foilKinds } from '../description.ts';
import { judgePicture, relationOf, type SeenObject, seenDescription } from '../judge/judge.ts';
import { colourFits, noTolerance, sizeFits, toneFits, verdictOf } from '../judge/verdict.ts';
import { pictureLength, renderScene } from '../render.ts';
import { drawScene, fullDescription, type Scene, type SceneObject } from '../scene.ts';
import { type Roughness, roughen } from './roughPicture.ts';

export const judgedThings = [
  'count',
  'ground',
  'relation',
  'shape',
  'colour',
  'size',
  'tone',
  'filling',
  'right caption accepted',
  'foil refused',
] as const;
export type JudgedThing = (typeof judgedThings)[number];

/** Shares of 0 … 1 that are right. */
export type Accuracy = Record<JudgedThing, number>;

/**
 * Draws scenes of all pairs, and counts where the judge is right. A word of size, colour or tone is right if the object's true
 * value lies in the word's spread, without tolerance: in the overlap of two words both are. A relation, and what is said of
 * objects, is counted where the number of objects is right.
 */
export function judgeAccuracy(scenes: number, roughness: Roughness, seed: number): Accuracy {
  const random = createRandom(seed);
  const picture = new Float32Array(pictureLength);
  const tally = Object.fromEntries(judgedThings.map((thing) => [thing, { right: 0, all: 0 }]));
  const count = (thing: JudgedThing, right: boolean) => {
    tally[thing].all++;
    if (right) tally[thing].right++;
  };
  for (let i = 0; i < scenes; i++) {
    const scene = drawScene(random, { pairs: 'all' });
    renderScene(scene, picture);
    roughen(picture, roughness, random);
    const seen = judgePicture(picture);
    const description = fullDescription(scene);
    count('right caption accepted', verdictOf(description, seen).right);
    for (const kind of foilKinds) {
      const wrong = foil(description, kind);
      if (wrong) count('foil refused', !verdictOf(wrong, seen).right);
    }
    count('ground', seen.ground === scene.ground.word);
    count('count', seen.objects.length === scene.objects.length && seenDescription(seen) !== null);
    if (seen.objects.length === scene.objects.length) countObjects(scene, seen.objects, count);
  }
  return Object.fromEntries(judgedThings.map((thing) => [thing, tally[thing].right / tally[thing].all])) as Accuracy;
}

function countObjects(
  { objects, relation }: Scene,
  seen: readonly SeenObject[],
  count: (thing: JudgedThing, right: boolean) => void,
): void {
  const distance = ({ x, y }: SceneObject, other: SeenObject) => (x - other.x) ** 2 + (y - other.y) ** 2;
  const found = objects.map((object) =>
    seen.reduce((best, other) => (distance(object, other) < distance(object, best) ? other : best)),
  );
  if (relation) count('relation', relationOf(found[0], found[1]) === relation);
  for (const [i, object] of objects.entries()) {
    const { shape, colour, size, tone, filling } = found[i];
    count('shape', shape === object.words.shape);
    count('filling', filling === object.words.filling);
    count('size', sizeFits({ word: size, grade: null }, object.radius, noTolerance));
    const colourIsRight = colourFits({ word: colour, grade: null }, object.rgb, noTolerance);
    count('colour', colourIsRight);
    if (colourIsRight && tone)
      count('tone', toneFits({ word: tone, grade: null }, colourWord(object.rgb), object.rgb, noTolerance));
  }
}
