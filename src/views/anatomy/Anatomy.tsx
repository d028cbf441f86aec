import { useMemo, useState } from 'react';
import { groupSteps, stage as stageName } from '../../engine/profile.ts';
import type { MappedRow } from '../../road/lecture.ts';
import { shownConfig, shownLayer } from '../../state/shownSizes.ts';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { WeightsNotHere } from '../weights/WeightsNotHere.tsx';
import styles from './anatomy.module.css';
import { Diagram } from './Diagram.tsx';
import { Equations } from './Equations.tsx';
import { rowOfTensor } from './equations.ts';
import { RowDetail } from './RowDetail.tsx';
import { StageDetail } from './StageDetail.tsx';

const lead = (
  <>
    The text encoder as a diagram, from tokens to the <dfn>conditioning</dfn>, the rows of numbers that the U-Net gets.
    Each box is a stage: choose one for its equation, its numbers for this prompt, the sum behind any of them, and the
    code that computes them. <a href="#view=speed">Speed</a> times the stages.
  </>
);

/** The encoder as a diagram, and the stage or equation that was chosen in it. */
export function Anatomy() {
  const [row, setRow] = useState<MappedRow>(() => rowOfTensor('probabilities'));
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const layer = useFacts(shownLayer);
  const show = useFacts((s) => s.show);
  const profiled = useFacts((s) => s.profiled);
  const times = useMemo(
    () =>
      profiled?.task.phase === 'done'
        ? new Map(groupSteps(profiled.task.result.steps, stageName).map((group) => [group.name, group]))
        : null,
    [profiled],
  );
  return (
    <section className={`panel ${styles.anatomy}`} id="anatomy" aria-labelledby="anatomy-title">
      <ViewHeader view="anatomy" lead={lead} />
      <Equations shown={row} onChoose={setRow} />
      <WeightsNotHere what="anything before the last stage" />
      <div className={styles.columns}>
        <Diagram
          shown={row}
          layers={layers}
          layer={layer}
          times={times}
          onChoose={setRow}
          onLayer={(layer) => show({ layer })}
        />
        {row.stage && row.operation ? (
          <StageDetail
            row={row}
            stage={row.stage}
            operation={row.operation}
            time={times?.get(row.stage.key) ?? null}
            onChoose={setRow}
          />
        ) : (
          <RowDetail row={row} />
        )}
      </div>
    </section>
  );
}
