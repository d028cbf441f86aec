import { useLayoutEffect, useRef } from 'react';
import styles from './picture.module.css';

interface CanvasProps {
  /** [height, width, 4] RGBA; null for an empty place. */
  readonly bytes: Uint8ClampedArray<ArrayBuffer> | null;
  readonly width: number;
  readonly height?: number;
  /** Says what is seen; empty where a text beside it does. */
  readonly label: string;
}

/** Draws pixels, scaled by CSS. */
export function Canvas({ bytes, width, height = width, label }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (bytes) context?.putImageData(new ImageData(bytes, width, height), 0, 0);
    else context?.clearRect(0, 0, width, height);
  }, [bytes, width, height]);
  return (
    <canvas
      ref={canvas}
      className={styles.canvas}
      width={width}
      height={height}
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}
    />
  );
}
