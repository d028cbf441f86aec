import type { MethodName } from '../../weighting/methods.ts';
import { pictureSize } from '../../world/render.ts';
import { Canvas } from '../picture/Canvas.tsx';
import { HonestWords } from '../picture/HonestWords.tsx';
import { verdictText } from '../picture/Judged.tsx';
import { usePictures, useStudy } from '../picture/usePictures.ts';
import styles from './methods.module.css';

/** The picture of a method, and what the judge says of it. */
export function MethodPicture({ method }: { method: MethodName }) {
  const one = useStudy('methods')?.find(({ take }) => take.options.weighting === method);
  const verdict = one?.picture?.verdict;
  return (
    <div className={styles.methodPicture} data-stale={one?.isStale || undefined}>
      <Canvas
        bytes={one?.picture?.bytes ?? null}
        width={pictureSize}
        label={verdict ? `Seed ${one.take.seed}: ${verdict.seen}` : ''}
      />
      {verdict && (
        <span data-right={verdict.right ?? undefined}>
          {verdict.right === null ? verdict.seen : verdictText(verdict)}
        </span>
      )}
      {one?.picture === null && <span data-right={false}>its numbers are not finite</span>}
    </div>
  );
}

/** Says what the pictures are, or why there are none. */
export function DrawnWords() {
  const message = usePictures((s) => s.message);
  return (
    <p className="help">
      {message ?? (
        <>
          The first seed of both prompts, drawn under every method. <HonestWords />
        </>
      )}
    </p>
  );
}
