import { useId } from 'react';
import { equationRanges } from '../../clip/lectureRow.ts';
import type { Operation, Stage, TensorKey } from '../../clip/stages.ts';
import type { ProfiledGroup } from '../../engine/profile.ts';
import type { MappedRow } from '../../road/lecture.ts';
import { shownClipSkip, shownConfig } from '../../state/shownSizes.ts';
import { bytes } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './anatomy.module.css';
import { rowOfTensor } from './equations.ts';
import { KernelCode } from './KernelCode.tsx';
import { MathFormula } from './MathFormula.tsx';
import { CodeNames, Difference } from './RowDetail.tsx';
import { shapeText } from './shapes.ts';
import { Tensor } from './Tensor.tsx';

interface StageDetailProps {
  readonly row: MappedRow;
  readonly stage: Stage;
  readonly operation: Operation;
  readonly time: ProfiledGroup | null;
  onChoose(row: MappedRow): void;
}

/** One stage: its equations, the matrix that is chosen among them, the sum behind a cell, and its code. */
export function StageDetail({ row, stage, operation, time, onChoose }: StageDetailProps) {
  return (
    <section className={styles.detail} aria-labelledby="anatomy-stage">
      <h3 id="anatomy-stage">{stage.title}</h3>
      <p>{stage.help}</p>
      {stage.place === 'after' && <ClipSkipNote />}
      <StageMatrices row={row} stage={stage} operation={operation} onChoose={onChoose} />
      {time && <Time time={time} />}
      <CodeNames row={row} />
      <KernelCode stage={stage} tensor={operation.tensor} chosen={time?.kernel} />
    </section>
  );
}

/** The equations of a stage, the matrix of the one that is chosen, and the sum behind a cell of it. */
export function StageMatrices({ row, stage, operation, onChoose }: Omit<StageDetailProps, 'time'>) {
  return (
    <>
      <Formulas stage={stage} shown={operation.tensor} onChoose={(tensor) => onChoose(rowOfTensor(tensor))} />
      <Difference row={row} />
      <Tensor key={operation.tensor} stage={stage} operation={operation} />
    </>
  );
}

/** Says that clip skip normalises an inner layer's output in place of the last one's, which is shown here. */
function ClipSkipNote() {
  const skip = useFacts(shownClipSkip);
  const { numHiddenLayers: layers } = useFacts(shownConfig);
  if (skip === 1) return null;
  const normalised = skip > layers ? 'the sum of the embeddings' : `the output of layer ${layers + 1 - skip}`;
  return (
    <p className={styles.difference}>
      With clip skip {skip}, weights act on {normalised} after this LayerNorm, as <a href="#embeddings">Embeddings</a>{' '}
      shows. The matrix here is that of layer {layers}, without clip skip.
    </p>
  );
}

interface FormulasProps {
  readonly stage: Stage;
  readonly shown: TensorKey;
  onChoose(tensor: TensorKey): void;
}

/** The stage's equations; the one that is chosen has its matrix shown. */
function Formulas({ stage, shown, onChoose }: FormulasProps) {
  const config = useFacts(shownConfig);
  const name = useId();
  return (
    <fieldset className={styles.formulas}>
      <legend className="visually-hidden">Matrix</legend>
      {stage.operations.map(({ tensor, title, formula, equations, shape }) => (
        <label key={tensor} className={styles.formula} data-part={tensor}>
          <input
            type="radio"
            name={name}
            checked={tensor === shown}
            aria-label={`${title}, equation ${equationRanges(equations)}`}
            onChange={() => onChoose(tensor)}
          />
          <span className={styles.formulaTitle}>
            {title} <span className="muted">{shapeText(shape, config)}</span>
          </span>
          <MathFormula formula={formula} block />
          <span className={styles.number}>({equationRanges(equations)})</span>
        </label>
      ))}
    </fieldset>
  );
}

/** The time and rates of a stage, in all layers. */
function Time({
  time: { milliseconds, share, gflopsPerSecond, gigabytesPerSecond, steps, bytes: size },
}: {
  readonly time: ProfiledGroup;
}) {
  const rates = [
    gflopsPerSecond !== null && `${gflopsPerSecond.toPrecision(3)} GFLOP/s`,
    gigabytesPerSecond !== null && `${gigabytesPerSecond.toPrecision(3)} GB/s`,
  ].filter(Boolean);
  return (
    <p className="small">
      {milliseconds === null
        ? `${steps} steps, ${bytes(size)} read and written`
        : `${milliseconds.toPrecision(3)} ms in ${steps} ${steps === 1 ? 'step' : 'steps'}, ${(100 * share!).toFixed(1)} % of the time`}
      {rates.map((rate) => ` · ${rate}`)}
    </p>
  );
}
