import { useMemo } from 'react';
import type { FollowedPicture } from '../../worker/pictures/pictureMessages.ts';
import { pictureSize } from '../../world/render.ts';
import { useDark } from '../page/useFacts.ts';
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

/** The three parts of the lecture's first figure with this prompt's own numbers: text encoder, denoiser, picture. */
export function Pipeline() {
  const followed = usePictures((s) => s.followed?.picture);
  const prompt = usePictures((s) => s.followed?.prompt);
  const dark = useDark();
  const rows = followed?.rows.length ?? 0;
  const pixels = useMemo(
    () => followed && matrixPixels(followed.conditioning, signedScale(3, dark, true)),
    [followed, dark],
  );
  if (followed === undefined) return <p className="muted">Drawing</p>;
  if (followed === null || !pixels) return <p className="warning">The numbers of this prompt are not finite.</p>;
  const width = followed.conditioning.length / rows;
  return (
    <ol className={styles.pipeline}>
      <li>
        <h4>Prompt</h4>
        <p className={styles.prompt}>{prompt}</p>
      </li>
      <li>
        <h4>Text encoder</h4>
        <Canvas
          bytes={pixels}
          width={width}
          height={rows}
          label={`The conditioning: ${rows} rows of ${width} numbers`}
        />
        <p className="muted small">
          {rows} rows of {width} numbers; BOS at the top, PAD below the words. The denoiser reads them in each step.
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
