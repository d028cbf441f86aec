import { useShallow } from 'zustand/react/shallow';
import { isDrawn, isSame, type PictureFacts } from '../../state/picture/pictureStore.ts';
import { Judged } from './Judged.tsx';
import styles from './picture.module.css';
import { usePictures } from './usePictures.ts';

/** Says what the row shows, once it is drawn with all of its steps. */
function rowText({ row, phase, input, choices }: PictureFacts): string {
  if (!input || !row.every((one) => isDrawn(one, input.options.steps, [input, choices])))
    return phase === 'drawing' ? 'Drawing' : '';
  const drawn = row.flatMap((one) => one?.picture ?? []);
  if (drawn.length === 0) return '';
  const [{ verdict }] = drawn;
  if (verdict.claim === null)
    return 'The prompt names no object of this world, or more than two: name one or two of circle, square, triangle, diamond, star, heart, cross and moon.';
  if (verdict.right === null) return `${verdict.claim}: no picture is right or wrong by that.`;
  const right = drawn.filter((one) => one.verdict.right).length;
  return `${verdict.claim}: ${right} of ${row.length} pictures show that.`;
}

/** A picture of each seed. */
export function PictureRow() {
  const row = usePictures((s) => s.row);
  const text = usePictures(rowText);
  const drawnFrom = usePictures(useShallow((s) => [s.input, s.choices]));
  const firstSeed = usePictures((s) => s.choices.firstSeed);
  return (
    <>
      <p className={styles.said} role="status">
        {text}
      </p>
      <div className={styles.row}>
        {row.map((one, i) => (
          <Judged
            key={i}
            name={`Seed ${one?.seed ?? firstSeed + i}`}
            picture={one ? one.picture : undefined}
            isStale={one !== null && !isSame(one.drawnFrom, drawnFrom)}
          />
        ))}
      </div>
    </>
  );
}
