import { happens, type Random } from '../models/seededRandom.ts';
import { type Description, inverse, turned } from './description.ts';
import { fullDescription, isHeldOut, type Scene, type SceneObject } from './scene.ts';

/** Mirrors a scene of two objects so that its relation is the inverse one; everything else of its caption stays right. */
function mirrored({ objects, relation, ground }: Scene): Scene {
  const isAside = relation === 'left' || relation === 'right';
  const mirror = (object: SceneObject) => (isAside ? { ...object, x: 1 - object.x } : { ...object, y: 1 - object.y });
  return { objects: objects.map(mirror), relation: relation && inverse[relation], ground };
}

/** Turns a scene of two objects so that one which was left of the other is above it; everything else of its caption stays right. */
const turnedScene = ({ objects, relation, ground }: Scene): Scene => ({
  objects: objects.map((object) => ({ ...object, x: object.y, y: object.x })),
  relation: relation && turned[relation],
  ground,
});

/** Exchanges the colours of two objects, their tones included. */
function coloursSwapped({ objects, relation, ground }: Scene): Scene {
  const [first, second] = objects;
  const coloured = (object: SceneObject, { words, rgb }: SceneObject): SceneObject => ({
    ...object,
    rgb,
    words: { ...object.words, colour: words.colour, tone: words.tone },
  });
  return { objects: [coloured(first, second), coloured(second, first)], relation, ground };
}

/**
 * Draws a scene that has the same words as another of two objects, and differs from it in which of them belong together: its colours
 * are exchanged, or it is mirrored, whichever a caption like `told` tells. `turnShare` of those whose relation is told are turned instead.
 * Two scenes of chance are told apart by the words alone, so that a model which sees no others learns no more. A pair that training never
 * has does not come out. Returns null where there is none: for a scene of one object, and where such a caption would be the same.
 */
export function drawTwin(
  random: Random,
  scene: Scene,
  told: Description = fullDescription(scene),
  turnShare?: number,
): Scene | null {
  if (scene.objects.length === 1) return null;
  if (told.relation && happens(random, turnShare)) return turnedScene(scene);
  const swapped = coloursSwapped(scene);
  const [first, second] = swapped.objects;
  const tellsColours = told.objects.every(({ shape, colour }) => shape && colour);
  const isSeen = swapped.objects.every(({ words }) => !isHeldOut(words.colour!.word, words.shape));
  // Scenes of one shape, or of one colour, can be told apart by their relation alone.
  const isSwap =
    tellsColours &&
    isSeen &&
    first.words.colour!.word !== second.words.colour!.word &&
    (told.relation || first.words.shape !== second.words.shape);
  if (isSwap && (!told.relation || random.chance(0.5))) return swapped;
  return told.relation ? mirrored(scene) : null;
}
