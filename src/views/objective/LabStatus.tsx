import { bitsOverChance } from '../../state/lab/labNumbers.ts';
import { pairsSeen, stepsMade } from '../../state/lab/labStore.ts';
import { whole } from '../page/numbers.ts';
import { Item } from './Item.tsx';
import styles from './objective.module.css';
import { useLab } from './useLab.ts';

/** The numbers of the last step, and why nothing happens where nothing does. */
export function LabStatus() {
  const phase = useLab((s) => s.phase);
  const message = useLab((s) => s.message);
  const run = useLab((s) => s.run);
  const parameters = useLab((s) => s.parameters);
  const reset = useLab((s) => s.reset);
  const last = run.steps.at(-1);
  const { batch, objective } = run.settings;
  return (
    <>
      <dl className={styles.numbers}>
        <Item name="Steps" value={whole(stepsMade(run))} />
        <Item name="Pairs seen" value={whole(pairsSeen(run))} />
        <Item name="Loss" value={last ? last.loss.toFixed(3) : '–'} />
        {objective === 'clip' && (
          <Item
            name="Better than chance"
            value={last ? `${bitsOverChance(last.loss, batch).toFixed(2).replace('-', '−')} bits` : '–'}
          />
        )}
        <Item
          name="Right pair’s probability"
          value={last ? `${last.diagonal.toFixed(3)} (chance ${(1 / batch).toFixed(3)})` : '–'}
        />
        <Item name="Parameters" value={parameters > 0 ? whole(parameters) : '–'} />
      </dl>
      {phase === 'starting' && run.steps.length === 0 && !parameters && <p className="muted">Making a model</p>}
      {message && (
        <div className="notice" data-severity="error" role="alert">
          <span>{message}</span>
          <button type="button" onClick={reset}>
            Reset
          </button>
        </div>
      )}
    </>
  );
}
