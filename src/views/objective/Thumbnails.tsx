import { useLayoutEffect, useRef } from 'react';
import { pictureSize } from '../../world/render.ts';
import styles from './objective.module.css';

interface ThumbnailsProps {
  /** [N, S, S, 4] RGBA */
  readonly pictures: Uint8ClampedArray<ArrayBuffer>;
  /** Indices of the pictures to draw, side by side. */
  readonly columns: readonly number[];
  /** Says what is seen; empty where a text beside it does. */
  readonly label: string;
}

/** Draws pictures of a batch side by side, scaled by CSS. */
export function Thumbnails({ pictures, columns, label }: ThumbnailsProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = columns.join();
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    const length = 4 * pictureSize * pictureSize;
    for (const [i, column] of drawn.split(',').map(Number).entries()) {
      const rgba = pictures.subarray(column * length, (column + 1) * length);
      context?.putImageData(new ImageData(rgba, pictureSize, pictureSize), i * pictureSize, 0);
    }
  }, [pictures, drawn]);
  return (
    <canvas
      ref={canvas}
      className={styles.thumbnails}
      width={columns.length * pictureSize}
      height={pictureSize}
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
    />
  );
}
