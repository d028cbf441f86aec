import type { Random } from '../models/seededRandom.ts';
import { colourMeans } from './attributes.ts';
import type { Description, ObjectWords } from './description.ts';
import {
  alike,
  drawGround,
  drawPlacesOf,
  drawValues,
  isHeldOut,
  type Scene,
  type SceneObject,
  standOut,
} from './scene.ts';
import { colours, fillings, shapes, sizes, tones } from './worldWords.ts';

type Words = SceneObject['words'];
type Attribute = keyof ObjectWords;

const hasHue = ({ colour }: Words) => colourMeans[colour!.word].hue !== null;

/** All words of an object that differ from its own in one attribute alone. A black or white object has no tone, and gets one with a hue. */
const changes: Readonly<Record<Attribute, (random: Random, words: Words) => readonly Words[]>> = {
  shape: (_, words) => shapes.map((shape) => ({ ...words, shape })),
  colour: (random, words) =>
    colours.map((word) => {
      const hue = colourMeans[word].hue !== null;
      const tone = hue ? (words.tone ?? { word: random.pick(tones), grade: null }) : null;
      return { ...words, colour: { word, grade: hue ? words.colour!.grade : null }, tone };
    }),
  size: (_, words) => sizes.map((word) => ({ ...words, size: { word, grade: null } })),
  tone: (_, words) =>
    hasHue(words) ? tones.map((word) => ({ ...words, tone: { word, grade: words.tone!.grade } })) : [],
  filling: (_, words) => fillings.map((filling) => ({ ...words, filling })),
};

/** Shapes are the hardest to see, and twice as often what differs. */
const attributes = ['shape', 'shape', 'colour', 'size', 'tone', 'filling'] as const satisfies readonly Attribute[];

const wordOf = (words: Words, attribute: Attribute): string | null => {
  const said = words[attribute];
  return said !== null && typeof said === 'object' ? said.word : said;
};

/**
 * Draws a scene that differs from another in one attribute of one object, of those that a caption like `told` says, and in where its
 * objects are. The relation stays, and the ground, if the objects stand out from it. Scenes of chance differ in so many
 * words that a model needs few of them to tell a batch apart; siblings need each. A pair that training never has does not come out.
 * Returns null where the caption says nothing that could be changed.
 */
export function drawSibling(random: Random, scene: Scene, told: Description): Scene | null {
  const choices = scene.objects.flatMap((_, i) =>
    attributes.filter((attribute) => told.objects[i][attribute] !== null).map((attribute) => ({ i, attribute })),
  );
  if (choices.length === 0) return null;
  const { i, attribute } = random.pick(choices);
  const own = scene.objects[i];
  const other = scene.objects[1 - i];
  const candidates = changes[attribute](random, own.words).filter(
    (words) =>
      wordOf(words, attribute) !== wordOf(own.words, attribute) &&
      !isHeldOut(words.colour!.word, words.shape) &&
      !(other && alike(words, other.words)),
  );
  if (candidates.length === 0) return null;
  const keepsColour = attribute !== 'colour' && attribute !== 'tone';
  const changed = drawValues(random, random.pick(candidates), {
    radius: attribute === 'size' ? undefined : own.radius,
    rgb: keepsColour ? own.rgb : undefined,
  });
  const objects = scene.objects.map((object, k) => (k === i ? changed : object));
  return {
    objects: drawPlacesOf(random, objects, scene.relation),
    relation: scene.relation,
    ground: standOut(objects, scene.ground.word) ? scene.ground : drawGround(random, objects),
  };
}
