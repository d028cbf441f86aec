import { pictureSize } from './render.ts';

const plane = pictureSize * pictureSize;

/** RGBA [B, S, S, 4] of pictures [B, 3, S, S] from −1 to 1, as canvases take it. */
export function pictureBytes(pictures: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray((pictures.length / 3) * 4);
  for (let pixel = 0; pixel < rgba.length / 4; pixel++) {
    const from = Math.floor(pixel / plane) * 3 * plane + (pixel % plane);
    for (let channel = 0; channel < 3; channel++)
      rgba[4 * pixel + channel] = (pictures[from + channel * plane] + 1) * 127.5;
    rgba[4 * pixel + 3] = 255;
  }
  return rgba;
}

/** The picture [3, S, S] at `index` of RGBA [B, S, S, 4], to the 127th part of its range. */
export function pictureOfBytes(rgba: Uint8ClampedArray, index: number): Float32Array<ArrayBuffer> {
  const pixels = new Float32Array(3 * plane);
  for (let pixel = 0; pixel < plane; pixel++)
    for (let channel = 0; channel < 3; channel++)
      pixels[channel * plane + pixel] = rgba[4 * (index * plane + pixel) + channel] / 127.5 - 1;
  return pixels;
}
