import { useRef } from 'react';
import { useWidth } from '../page/useWidth.ts';
import { type ColourScale, cssGradient } from './color.ts';
import styles from './legend.module.css';
import { fittingTicks } from './legendTicks.ts';

/** Draws a picture's colours from its scale; `masked` says what is hatched, where it is something else than a masked cell. */
export function Legend({
  title,
  scale,
  masked = false,
}: {
  title: string;
  scale: ColourScale;
  masked?: boolean | string;
}) {
  const ticks = useRef<HTMLDivElement>(null);
  const width = useWidth(ticks);
  return (
    <div className={styles.legend}>
      <span>{title}</span>
      <div className={styles.legendScale}>
        <div className={styles.legendBar} style={{ backgroundImage: cssGradient(scale) }} />
        <div className={styles.legendTicks} ref={ticks}>
          {fittingTicks(scale, width).map((tick) => (
            <span key={tick} style={{ insetInlineStart: `${scale.position(tick) * 100}%` }}>
              {scale.format(tick)}
            </span>
          ))}
        </div>
      </div>
      {masked && (
        <span>
          <i className={styles.hatch} /> {masked === true ? 'masked' : masked}
        </span>
      )}
    </div>
  );
}
