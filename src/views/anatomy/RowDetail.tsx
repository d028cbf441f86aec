import type { ReactNode } from 'react';
import { equationRanges } from '../../clip/lectureRow.ts';
import type { MappedRow } from '../../road/lecture.ts';
import styles from './anatomy.module.css';
import { MathFormula } from './MathFormula.tsx';

/** An equation that is not one of the encoder's stages: its formula, its code, and where the page shows it. */
export function RowDetail({ row }: { readonly row: MappedRow }) {
  const { title, equations, formula, shownIn } = row;
  return (
    <section className={styles.detail} aria-labelledby="anatomy-stage">
      <h3 id="anatomy-stage">{title}</h3>
      <div className={styles.formula}>
        <MathFormula formula={formula} block />
        <span className={styles.number}>({equationRanges(equations)})</span>
      </div>
      <Difference row={row} />
      <p>
        On the page: <a href={`#${shownIn.panel}`}>{shownIn.title}</a>
      </p>
      <CodeNames row={row} />
    </section>
  );
}

/** Says how the lecture and the programs differ in an equation. */
export function Difference({ row: { difference } }: { readonly row: Pick<MappedRow, 'difference'> }): ReactNode {
  return difference && <p className={styles.difference}>{difference}</p>;
}

/** The TypeScript that computes a row. */
export function CodeNames({ row: { code } }: { readonly row: Pick<MappedRow, 'code'> }) {
  return (
    <p className="small">
      In TypeScript:{' '}
      {code.map(({ file, exports }) => (
        <code key={file}>
          {Object.keys(exports).join(', ')} · {file}
        </code>
      ))}
    </p>
  );
}
