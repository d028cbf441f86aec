import { lookSide, type PixelLooks } from '../../pictures/drawing.ts';
import type { ConditionedRows } from '../../pictures/promptSteps.ts';
import { pictureBytes } from '../../world/pictureBytes.ts';
import { type Handlers, moving } from '../serve.ts';
import { createArtist, type PictureSurroundings, pictureAt } from './artist.ts';
import type { FollowedPicture, LookedRow, PictureCalls } from './pictureMessages.ts';

/** Turns looks into shares of all that a square looks at. The parts of an AND count alike. */
function lookedRows(parts: readonly ConditionedRows[], looks: PixelLooks): Pick<FollowedPicture, 'rows' | 'looks'> {
  const squares = lookSide * lookSide;
  const sums = parts.map((_, part) => looks.parts[part]);
  const rows: LookedRow[] = [];
  const shares: Float32Array[] = [];
  for (const [part, { tokens }] of parts.entries()) {
    const totals = new Float32Array(squares);
    for (let i = 0; i < sums[part].length; i++) totals[i % squares] += sums[part][i];
    for (const [row, token] of tokens.entries()) {
      const own = sums[part]
        .slice(row * squares, (row + 1) * squares)
        .map((sum, square) => sum / totals[square] / parts.length);
      shares.push(own);
      rows.push({
        text: token?.text ?? null,
        kind: token?.kind ?? 'pad',
        range: token?.range ?? null,
        share: own.reduce((sum, share) => sum + share, 0) / squares,
      });
    }
  }
  const all = new Float32Array(shares.length * squares);
  for (const [row, share] of shares.entries()) all.set(share, row * squares);
  return { rows, looks: all };
}

/** Answers the page's calls about pictures, one after the other. */
export function createPictureHandlers(surroundings: PictureSurroundings): Handlers<PictureCalls> {
  const { draw, parameters } = createArtist(surroundings);
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const mine = turn.then(run);
    turn = mine.catch(() => {});
    return mine;
  };
  return {
    parameters,
    draw: ({ takes, ...settings }, signal) =>
      inTurn(async () => {
        const { pictures } = await draw(settings, takes, signal);
        return moving(
          pictures,
          pictures.flatMap((picture) => picture?.bytes ?? []),
        );
      }),
    follow: ({ take, ...settings }, signal) =>
      inTurn(async () => {
        const looks: PixelLooks = { parts: [] };
        const trail: FollowedPicture['trail'][number][] = [];
        const bytesOf = (pictures: ArrayLike<number>) => pictureBytes(pictureAt(pictures, 0));
        const hear = (call: number, noisy: ArrayLike<number>, clean: ArrayLike<number>) =>
          void trail.push({ call, noisy: bytesOf(noisy), clean: bytesOf(clean) });
        const { drafts, pictures } = await draw(settings, [take], signal, { looks: [looks], hear });
        const [picture] = pictures;
        if (!picture) return null;
        const { parts } = drafts[0].steps.at(-1)!;
        const conditioning = Float32Array.from(parts.flatMap(({ rows }) => [...rows]));
        const followed: FollowedPicture = { ...picture, trail, ...lookedRows(parts, looks), conditioning };
        return moving(followed, [
          followed.bytes,
          followed.looks,
          conditioning,
          ...trail.flatMap(({ noisy, clean }) => [noisy, clean]),
        ]);
      }),
  };
}
