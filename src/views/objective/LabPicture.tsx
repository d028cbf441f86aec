import { useRef } from 'react';
import { useWidth } from '../page/useWidth.ts';
import { LabCell } from './LabCell.tsx';
import { LabControls } from './LabControls.tsx';
import { LabCurves } from './LabCurves.tsx';
import { LabEquations } from './LabEquations.tsx';
import { LabMatrix } from './LabMatrix.tsx';
import styles from './objective.module.css';
import { useShownLab } from './useShownLab.ts';

/** CSS pixels from which on the parts stand in two columns. */
const leastForTwo = 1000;

/** S with its captions and pictures, what can be set, and what is to say of the cell that is pointed at. */
export function LabPicture() {
  const { shown, ready } = useShownLab();
  const hero = useRef<HTMLDivElement>(null);
  const isWide = useWidth(hero) >= leastForTwo;
  const matrix = (
    <div className={styles.picture} aria-busy={!ready}>
      {ready && <LabMatrix {...ready} />}
    </div>
  );
  const cell = ready && <LabCell {...ready} />;
  const equations = ready && <LabEquations {...ready} />;
  // Keys and screen readers go through the parts in the order in which eyes do.
  return (
    <div className={styles.hero} data-wide={isWide || undefined} ref={hero}>
      {isWide ? (
        <>
          <div className={styles.column}>
            {matrix}
            <LabCurves />
            {equations}
          </div>
          <div className={styles.column}>
            <LabControls shown={shown} />
            {cell}
          </div>
        </>
      ) : (
        <>
          {matrix}
          {cell}
          <LabControls shown={shown} />
          <LabCurves />
          {equations}
        </>
      )}
    </div>
  );
}
