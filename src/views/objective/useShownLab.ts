import { useMemo, useState } from 'react';
import { shownObjective } from '../../state/lab/labNumbers.ts';
import { shownLayer } from '../../state/lab/labSettings.ts';
import { shownLogScale } from '../../state/lab/labStore.ts';
import { createPointing } from '../pictures/pointed.ts';
import { cellAt } from './cells.ts';
import { useLab } from './useLab.ts';

/** Gives what the pictures of the lab show: `ready` is null while there is no batch. */
export function useShownLab() {
  const frame = useLab((s) => s.frame);
  const batch = useLab((s) => s.batch);
  const name = useLab((s) => s.run.settings.objective);
  const logScale = useLab(shownLogScale);
  const [pointing] = useState(() => createPointing(cellAt(0, 0)));
  const shown = useMemo(() => frame && shownObjective(name, frame, logScale), [frame, name, logScale]);
  const layer = useLab((s) => s.stage ?? shownLayer({ ...s.settings, objective: s.run.settings.objective }));
  const isReady = frame && batch && shown && batch.captions.length === shown.N;
  return { shown, ready: isReady ? { shown, batch, frame, layer, pointing } : null };
}
