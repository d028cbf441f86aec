import type { DrawnPicture } from '../../worker/pictures/pictureMessages.ts';
import { pictureSize } from '../../world/render.ts';
import { Canvas } from './Canvas.tsx';
import styles from './picture.module.css';

/** Says whether a picture is what its prompt says. */
export function verdictText({ right, wrong }: DrawnPicture['verdict']): string {
  if (right === null) return '';
  return right ? 'right' : `wrong: ${wrong.join(', ')}`;
}

interface JudgedProps {
  /** The text that names the picture. */
  readonly name: string;
  /** Undefined until it is drawn; null where it cannot be. */
  readonly picture: DrawnPicture | null | undefined;
  readonly isStale?: boolean;
  /** Says that something is wrong, but not what. */
  readonly isBrief?: boolean;
}

/** A picture with what the judge sees in it. */
export function Judged({ name, picture, isStale = false, isBrief = false }: JudgedProps) {
  const verdict = picture?.verdict;
  return (
    <figure className={styles.judged} data-stale={isStale || undefined}>
      <Canvas bytes={picture?.bytes ?? null} width={pictureSize} label={verdict ? `${name}: ${verdict.seen}` : ''} />
      <figcaption>
        <b>{name}</b>
        {verdict && (
          <>
            <span>{verdict.seen}</span>
            {verdict.right !== null && (
              <span className={verdict.right ? styles.right : styles.wrong}>
                {isBrief && !verdict.right ? 'wrong' : verdictText(verdict)}
              </span>
            )}
          </>
        )}
        {picture === null && <span className={styles.wrong}>its numbers are not finite</span>}
      </figcaption>
    </figure>
  );
}
