import { type ColourScale, cssGradient } from './color.ts';
import styles from './legend.module.css';

/** Draws a picture's colours from its scale. */
export function Legend({ title, scale, masked = false }: { title: string; scale: ColourScale; masked?: boolean }) {
  return (
    <div className={styles.legend}>
      <span>{title}</span>
      <div className={styles.legendScale}>
        <div className={styles.legendBar} style={{ backgroundImage: cssGradient(scale) }} />
        <div className={styles.legendTicks}>
          {scale.ticks.map((tick) => (
            <span key={tick} style={{ insetInlineStart: `${scale.position(tick) * 100}%` }}>
              {scale.format(tick)}
            </span>
          ))}
        </div>
      </div>
      {masked && (
        <span>
          <i className={styles.hatch} /> masked
        </span>
      )}
    </div>
  );
}
