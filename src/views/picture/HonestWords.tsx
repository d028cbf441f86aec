import { whole } from '../page/numbers.ts';
import { usePictures } from './usePictures.ts';

/** Says whose the pictures are, so that nobody takes them for Stable Diffusion's. */
export function HonestWords() {
  const parameters = usePictures((s) => s.parameters);
  return (
    <>
      This is a small world of shapes{parameters === null ? '' : `, drawn by ${whole(parameters)} parameters`}, trained
      by this project; Stable Diffusion’s own answer differs.
      {clipscopeRight === null
        ? ''
        : ` Of 100 pictures that are told no more than colours, shapes and a relation, a judge finds ${Math.round(100 * clipscopeRight)} right.`}
    </>
  );
}
