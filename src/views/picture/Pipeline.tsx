import { useMemo } from 'react';
import { shareOfNegative } from '../../pictures/sampler.ts';
import { readingsOfSteps } from '../../state/picture/readingsOfSteps.ts';
import { contextLength } from '../../tokens/clipVocabulary.ts';
import type { FollowedPicture } from '../../worker/pictures/pictureMessages.ts';
import { pictureSize } from '../../world/render.ts';
import { brief } from '../page/numbers.ts';
import { useDark, useFacts } from '../page/useFacts.ts';
import { type ColourScale, tableIndex } from '../pictures/color.ts';
import { signedScale } from '../pictures/valueScales.ts';
import { Canvas } from './Canvas.tsx';
import styles from './picture.module.css';
import { usePictures } from './usePictures.ts';

/** Steps of the way that are shown. */
const shownSteps = 5;

/** [rows, d, 4] Numbers as colours. */
function matrixPixels(values: Float32Array, scale: ColourScale): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * values.length);
  for (const [i, value] of values.entries()) {
    const at = 4 * tableIndex(scale, value);
    pixels.set(scale.table.subarray(at, at + 4), 4 * i);
  }
  return pixels;
}

/** Some steps of the trail, the first and the last among them. */
function someOf({ trail }: FollowedPicture) {
  const count = Math.min(shownSteps, trail.length);
  return Array.from({ length: count }, (_, i) => trail[Math.round((i * (trail.length - 1)) / Math.max(1, count - 1))]);
}

/** The last step's texts of the prompt, and their rows one after the other: those of each part of A1111's AND. */
function usePartsOf(followed: FollowedPicture | null | undefined) {
  const dark = useDark();
  const readings = useFacts(readingsOfSteps);
  return useMemo(() => {
    if (!followed) return null;
    const { conditioning, rows } = followed;
    const weights = readings?.at(-1)?.conditionings.map(({ weight }) => weight) ?? [1];
    // The parts are equally long. While the page has read a newer prompt than the picture's, they are not told apart.
    const known = rows.length % (weights.length * contextLength) === 0 ? weights : [1];
    const length = conditioning.length / known.length;
    const scale = signedScale(3, dark, true);
    return {
      isScheduled: (readings?.length ?? 1) > 1,
      parts: known.map((weight, part) => ({
        weight,
        pixels: matrixPixels(conditioning.subarray(part * length, (part + 1) * length), scale),
      })),
      rows: rows.length / known.length,
      width: conditioning.length / rows.length,
    };
  }, [followed, readings, dark]);
}

/** Says how guidance puts the denoiser's answers together. */
function guidanceText(weights: readonly number[], guidance: number): string {
  const share = shareOfNegative(
    weights.map((weight) => ({ weight })),
    guidance,
  );
  const parts = weights.length === 1 ? 'the prompt' : `each of the prompt’s ${weights.length} parts`;
  if (share === 0)
    return `Each step takes what it predicts from the rows of ${parts}: with this guidance, nothing is left of the negative prompt.`;
  return `Each step predicts the picture from the rows of ${parts}, and from those of the negative prompt (u). It takes u + ${brief(guidance)} · ${
    weights.length === 1 && weights[0] === 1 ? '(prompt − u)' : 'Σ weight · (part − u)'
  }: that is guidance.`;
}

/** The three parts of the lecture's first figure with this prompt's own numbers: text encoder, denoiser, picture. */
export function Pipeline() {
  const followed = usePictures((s) => s.followed?.picture);
  const prompt = usePictures((s) => s.followed?.prompt);
  const negative = usePictures((s) => s.input?.prompts.negative);
  const guidance = usePictures((s) => s.choices.guidance);
  const told = usePartsOf(followed);
  if (followed === undefined) return <p className="muted">Drawing</p>;
  if (!followed || !told) return <p className="warning">The numbers of this prompt are not finite.</p>;
  const { parts, rows, width, isScheduled } = told;
  return (
    <ol className={styles.pipeline}>
      <li>
        <h4>Prompt</h4>
        <p className={styles.prompt}>{prompt}</p>
        <p className="muted small">{negative ? 'Negative prompt:' : 'The negative prompt is empty.'}</p>
        {negative && <p className={styles.prompt}>{negative}</p>}
      </li>
      <li>
        <h4>Text encoder</h4>
        {parts.map(({ weight, pixels }, part) => (
          <figure key={part}>
            <Canvas
              bytes={pixels}
              width={width}
              height={rows}
              label={`The conditioning${parts.length > 1 ? ` of part ${part + 1}` : ''}: ${rows} rows of ${width} numbers`}
            />
            {parts.length > 1 && (
              <figcaption>
                part {part + 1}, × {brief(weight)}
              </figcaption>
            )}
          </figure>
        ))}
        <p className="muted small">
          {rows} rows of {width} numbers; BOS at the top, PAD below the words.{' '}
          {isScheduled
            ? 'These are the last step’s: the prompt has another text in other steps.'
            : 'The denoiser reads them in each step.'}{' '}
          The negative prompt has rows of its own, which are not drawn here.
        </p>
      </li>
      <li>
        <h4>Denoiser, {followed.trail.length} steps</h4>
        <div className={styles.trail}>
          {someOf(followed).map(({ call, noisy, clean }) => (
            <figure key={call}>
              <Canvas bytes={noisy} width={pictureSize} label={`With its noise after step ${call}`} />
              <Canvas bytes={clean} width={pictureSize} label={`What the denoiser takes it for in step ${call}`} />
              <figcaption>step {call}</figcaption>
            </figure>
          ))}
        </div>
        <p className="muted small">
          {guidanceText(
            parts.map(({ weight }) => weight),
            guidance,
          )}
        </p>
        <p className="muted small">
          Above the picture with its noise, below the clean picture that the denoiser takes it for. Stable Diffusion’s
          works on a latent, which a third network turns into pixels.
        </p>
      </li>
      <li>
        <h4>Picture</h4>
        <Canvas bytes={followed.bytes} width={pictureSize} label={`The picture: ${followed.verdict.seen}`} />
        <p className="muted small">{followed.verdict.seen}</p>
      </li>
    </ol>
  );
}
