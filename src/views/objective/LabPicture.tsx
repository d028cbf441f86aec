import { useMemo, useState } from 'react';
import { shownObjective } from '../../state/lab/labNumbers.ts';
import { shownLayer } from '../../state/lab/labSettings.ts';
import { shownLogScale } from '../../state/lab/labStore.ts';
import { createPointing } from '../pictures/pointed.ts';
import { cellAt } from './cells.ts';
import { LabCell } from './LabCell.tsx';
import { LabControls } from './LabControls.tsx';
import { LabCurves } from './LabCurves.tsx';
import { LabEquations } from './LabEquations.tsx';
import { LabMatrix } from './LabMatrix.tsx';
import styles from './objective.module.css';
import { useLab } from './useLab.ts';

/** S with its captions and pictures, what can be set, and what is to say of the cell that is pointed at. */
export function LabPicture() {
  const frame = useLab((s) => s.frame);
  const batch = useLab((s) => s.batch);
  const name = useLab((s) => s.run.settings.objective);
  const logScale = useLab(shownLogScale);
  const [pointing] = useState(() => createPointing(cellAt(0, 0)));
  const shown = useMemo(() => frame && shownObjective(name, frame, logScale), [frame, name, logScale]);
  const layer = useLab((s) => s.stage ?? shownLayer({ ...s.settings, objective: s.run.settings.objective }));
  const isReady = frame && batch && shown && batch.captions.length === shown.N;
  return (
    <div className={styles.hero}>
      <div className={styles.column}>
        <div className={styles.picture} aria-busy={!isReady}>
          {isReady && <LabMatrix shown={shown} batch={batch} layer={layer} pointing={pointing} />}
        </div>
        <LabCurves />
      </div>
      <div className={styles.column}>
        <LabControls shown={shown} />
        {isReady && <LabCell shown={shown} batch={batch} pointing={pointing} />}
        {isReady && <LabEquations shown={shown} frame={frame} pointing={pointing} layer={layer} />}
      </div>
    </div>
  );
}
