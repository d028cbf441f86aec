import type { Random } from '../../models/seededRandom.ts';
import { pictureSize as S } from '../render.ts';

/** How far a picture is from a clean render, as a small generator's may be. */
export interface Roughness {
  /** Weight of each neighbour of a pixel against the pixel's own, along both axes: 0.2 blurs as a σ of half a pixel does. */
  readonly blur: number;
  /** Standard deviation of the noise of each channel, where −1 … 1 is the whole range. */
  readonly noise: number;
}

function blurLines(from: Float32Array, to: Float32Array, weight: number, step: number, lineStep: number): void {
  for (let c = 0; c < 3; c++)
    for (let line = 0; line < S; line++)
      for (let i = 0; i < S; i++) {
        const at = (k: number) => from[c * S * S + line * lineStep + Math.min(S - 1, Math.max(0, k)) * step];
        to[c * S * S + line * lineStep + i * step] = (at(i) + weight * (at(i - 1) + at(i + 1))) / (1 + 2 * weight);
      }
}

/** Blurs a picture [3, S, S] and puts noise on it, in place. */
export function roughen(picture: Float32Array, { blur, noise }: Roughness, random: Random): void {
  const across = new Float32Array(picture.length);
  blurLines(picture, across, blur, 1, S);
  blurLines(across, picture, blur, S, 1);
  // The sum of two triangular draws is near a normal one, of variance ⅓.
  for (let i = 0; i < picture.length; i++) picture[i] += noise * Math.sqrt(3) * (random.spread() + random.spread());
}
