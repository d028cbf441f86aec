import type { Random } from '../models/seededRandom.ts';
import { inverse } from './description.ts';
import { isHeldOut, type Scene, type SceneObject } from './scene.ts';

/** Mirrors a scene of two objects so that its relation is the inverse one; everything else of its caption stays right. */
function mirrored({ objects, relation, ground }: Scene): Scene {
  const isAside = relation === 'left' || relation === 'right';
  const mirror = (object: SceneObject) => (isAside ? { ...object, x: 1 - object.x } : { ...object, y: 1 - object.y });
  return { objects: objects.map(mirror), relation: relation && inverse[relation], ground };
}

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
 * are exchanged, or it is mirrored. Two scenes of chance are told apart by the words alone, so that a model which sees no others
 * learns no more. A pair that training never has does not come out. Returns null for a scene of one object.
 */
export function drawTwin(random: Random, scene: Scene): Scene | null {
  if (scene.objects.length === 1) return null;
  const swapped = coloursSwapped(scene);
  const [first, second] = swapped.objects;
  const isDistinct = first.words.colour!.word !== second.words.colour!.word;
  const isSeen = swapped.objects.every(({ words }) => !isHeldOut(words.colour!.word, words.shape));
  return isDistinct && isSeen && random.chance(0.5) ? swapped : mirrored(scene);
}
