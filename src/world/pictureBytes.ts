import { pictureSize } from './render.ts';

/** RGBA [B, S, S, 4] of pictures [B, 3, S, S] from −1 to 1, as canvases take it. */
export function pictureBytes(pictures: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const plane = pictureSize * pictureSize;
  const rgba = new Uint8ClampedArray((pictures.length / 3) * 4);
  for (let pixel = 0; pixel < rgba.length / 4; pixel++) {
    const from = Math.floor(pixel / plane) * 3 * plane + (pixel % plane);
    for (let channel = 0; channel < 3; channel++)
      rgba[4 * pixel + channel] = (pictures[from + channel * plane] + 1) * 127.5;
    rgba[4 * pixel + 3] = 255;
  }
  return rgba;
}
