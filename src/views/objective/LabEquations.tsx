import type { Formula } from '../../clip/formula.ts';
import type { ShownObjective } from '../../state/lab/labNumbers.ts';
import type { LabLayer } from '../../state/lab/labSettings.ts';
import type { LabFrame } from '../../worker/lab/labMessages.ts';
import { MathFormula } from '../anatomy/MathFormula.tsx';
import { type Pointing, usePointed } from '../pictures/pointed.ts';
import { labEquations } from './labFormulas.ts';
import styles from './objective.module.css';

interface LabEquationsProps {
  readonly shown: ShownObjective;
  readonly frame: LabFrame;
  readonly pointing: Pointing;
  readonly layer: LabLayer;
}

/** The lecture's equations of the objective, with the numbers of the cell that is pointed at. */
export function LabEquations({ shown, frame, pointing, layer }: LabEquationsProps) {
  const { query, key } = usePointed(pointing);
  const row = Math.min(query ?? 0, shown.N - 1);
  const column = Math.min(key ?? 0, shown.N - 1);
  return (
    <section className={styles.equations} aria-label="Equations">
      {labEquations(shown, frame, row, column).map(({ number, title, formula, numbers, layer: makes }) => (
        <div key={number} data-part={`equation-${number}`} data-current={makes === layer || undefined}>
          <h3>
            {title} <span className="muted">({number})</span>
          </h3>
          <Parts formulas={formula} />
          <Parts formulas={numbers} />
        </div>
      ))}
    </section>
  );
}

/** Formulas side by side, or below each other where there is no room. */
function Parts({ formulas }: { readonly formulas: readonly Formula[] }) {
  return (
    <div className={styles.formulas}>
      {formulas.map((formula, i) => (
        <MathFormula key={i} formula={formula} block />
      ))}
    </div>
  );
}
