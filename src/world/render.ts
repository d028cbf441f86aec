import type { Rgb } from './attributes.ts';
import type { Scene, SceneObject } from './scene.ts';
import { shapeFields } from './shapeFields.ts';
import type { Shape } from './worldWords.ts';

/** Side of a picture in pixels. 40 is the least at which small stars, hearts and outlines keep their shape. */
export const pictureSize = 40;

/** Float32 numbers of a picture: [3, S, S]. */
export const pictureLength = 3 * pictureSize * pictureSize;

/**
 * Draws a scene as [3, S, S], red, green, blue, each −1 … 1, at `offset` of `pictures`: an array of many pictures [B, 3, S, S]
 * is filled again and again. The range is that of a denoiser, whose noise has mean 0, and the image tower takes the same.
 * An edge is as wide as a pixel: a pixel is covered by the share ½ − distance, held in 0 … 1. Nothing is random here.
 */
export function renderScene(scene: Scene, pictures: Float32Array, offset = 0): void {
  const plane = pictureSize * pictureSize;
  for (let c = 0; c < 3; c++) pictures.fill(2 * scene.ground.rgb[c] - 1, offset + c * plane, offset + (c + 1) * plane);
  for (const object of scene.objects) drawObject(object, pictures, offset);
}

function drawObject(object: SceneObject, pictures: Float32Array, offset: number): void {
  const plane = pictureSize * pictureSize;
  const [r, g, b] = object.rgb.map((channel) => 2 * channel - 1) as unknown as Rgb;
  eachCovered({ ...object, shape: object.words.shape }, (pixel, share) => {
    const i = offset + pixel;
    pictures[i] += (r - pictures[i]) * share;
    pictures[i + plane] += (g - pictures[i + plane]) * share;
    pictures[i + 2 * plane] += (b - pictures[i + 2 * plane]) * share;
  });
}

/** Draws where a scene's objects are as [S, S] at `offset` of `planes`: −1 on the ground, 1 on an object, their share at an edge. */
export function renderCover(scene: Scene, planes: Float32Array, offset = 0): void {
  planes.fill(-1, offset, offset + pictureSize * pictureSize);
  for (const object of scene.objects)
    eachCovered({ ...object, shape: object.words.shape }, (pixel, share) => {
      planes[offset + pixel] += (1 - planes[offset + pixel]) * share;
    });
}

/** Lengths are in sides of the picture; `stroke` is null if the shape is filled. */
export interface PlacedShape extends Pick<SceneObject, 'x' | 'y' | 'radius' | 'stroke'> {
  readonly shape: Shape;
}

/** Calls with each pixel (row · S + column) that an object covers, and with the share of it that is covered. */
export function eachCovered(
  { shape, x, y, radius, stroke }: PlacedShape,
  cover: (pixel: number, share: number) => void,
): void {
  const field = shapeFields[shape];
  const scale = radius * pictureSize;
  const bound = (position: number) => Math.min(pictureSize, Math.max(0, Math.floor(position)));
  const [left, right] = [bound((x - radius) * pictureSize - 1), bound((x + radius) * pictureSize + 2)];
  const [top, bottom] = [bound((y - radius) * pictureSize - 1), bound((y + radius) * pictureSize + 2)];
  for (let row = top; row < bottom; row++)
    for (let column = left; column < right; column++) {
      const distance = scale * field((column + 0.5 - x * pictureSize) / scale, (row + 0.5 - y * pictureSize) / scale);
      const outer = Math.min(1, Math.max(0, 0.5 - distance));
      const hole = stroke === null ? 0 : Math.min(1, Math.max(0, 0.5 - distance - stroke * pictureSize));
      if (outer - hole > 0) cover(row * pictureSize + column, outer - hole);
    }
}
