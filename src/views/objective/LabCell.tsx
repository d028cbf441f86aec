import { cellNumbers, distribution, entropyBits, likeliest, type ShownObjective } from '../../state/lab/labNumbers.ts';
import type { LabBatch, LabFrame } from '../../worker/lab/labMessages.ts';
import { percent, small } from '../page/numbers.ts';
import { type Pointing, usePointed } from '../pictures/pointed.ts';
import { Item } from './Item.tsx';
import { LabAttention, LabVectors } from './LabLook.tsx';
import styles from './objective.module.css';
import { Thumbnails } from './Thumbnails.tsx';

interface LabCellProps {
  readonly shown: ShownObjective;
  readonly batch: LabBatch;
  readonly frame: LabFrame;
  readonly pointing: Pointing;
}

const minus = (text: string) => text.replace('-', '−');

/** Lines of a distribution that are shown. */
const most = 5;

/** The cell that is pointed at: its caption and picture, its numbers, and the distributions of its row and its column. */
export function LabCell({ shown, batch, frame, pointing }: LabCellProps) {
  const { query, key } = usePointed(pointing);
  const row = Math.min(query ?? 0, shown.N - 1);
  const column = Math.min(key ?? 0, shown.N - 1);
  const { cosine, logit, byRow, byColumn, gradient } = cellNumbers(shown, row, column);
  return (
    <section className={styles.cell} aria-label="Cell">
      <div className={styles.pair}>
        <Thumbnails
          pictures={batch.pictures}
          columns={[column]}
          label={`Picture ${column + 1}: ${batch.captions[column]}`}
        />
        <p>
          <span className="muted">Caption {row + 1}: </span>“{batch.captions[row]}”
          <br />
          <span className="muted">Picture {column + 1}</span>
          {row === column ? ', its own' : `, which belongs to “${batch.captions[column]}”`}
        </p>
      </div>
      <dl className={styles.numbers}>
        <Item name="Cosine" value={minus(cosine.toFixed(3))} />
        <Item name="Logit S" value={minus(logit.toFixed(2))} />
        <Item name="Picture for caption" value={percent(byRow)} />
        <Item name="Caption for picture" value={percent(byColumn)} />
        <Item
          name="Gradient ∂L/∂S"
          value={`${minus(small(gradient))}, ${gradient < 0 ? 'pulled together' : 'pushed apart'}`}
        />
      </dl>
      <div className={styles.distributions}>
        <Distribution
          title={`Pictures for caption ${row + 1}`}
          probabilities={distribution(shown, 'row', row)}
          own={row}
          batch={batch}
        />
        <Distribution
          title={`Captions for picture ${column + 1}`}
          probabilities={distribution(shown, 'column', column)}
          own={column}
          batch={batch}
        />
      </div>
      <LabVectors frame={frame} row={row} column={column} />
      <LabAttention batch={batch} row={row} column={column} />
    </section>
  );
}

interface DistributionProps {
  readonly title: string;
  /** [N] */
  readonly probabilities: Float64Array;
  /** Index of the right one. */
  readonly own: number;
  readonly batch: LabBatch;
}

/** A softmax as bars: its likeliest entries, and the right one. */
function Distribution({ title, probabilities, own, batch }: DistributionProps) {
  const first = likeliest(probabilities, most);
  const lines = first.includes(own) ? first : [...first.slice(0, most - 1), own];
  return (
    <figure>
      <figcaption>
        <b>{title}</b>
        <span className="muted">entropy {entropyBits(probabilities).toFixed(2)} bits</span>
      </figcaption>
      <ol className={styles.bars}>
        {lines.map((i) => (
          <li key={i} data-own={i === own || undefined}>
            <Thumbnails pictures={batch.pictures} columns={[i]} label="" />
            <span className={styles.bar}>
              <i style={{ width: `${100 * probabilities[i]}%` }} />
              <span>
                {percent(probabilities[i])} {batch.captions[i]}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </figure>
  );
}
