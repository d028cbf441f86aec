import type { MeanChange } from '../../weighting/means.ts';
import { type MethodName, methods } from '../../weighting/methods.ts';
import { exact } from '../page/numbers.ts';
import styles from './embeddings.module.css';

interface MeanRatioProps {
  readonly method: MethodName;
  readonly mean: MeanChange;
}

/** Shows the mean that a method restores, and what that does to every row, in numbers. */
export function MeanRatio({ method, mean: { before, after, ratio, over } }: MeanRatioProps) {
  const { label } = methods[method];
  const isOdd = !(ratio > 0.5 && ratio < 2);
  return (
    <div className={styles.meanRatio}>
      <dl>
        <div>
          <dt>Mean of all numbers before</dt>
          <dd>{exact(before)}</dd>
        </div>
        <div>
          <dt>With each row times its weight</dt>
          <dd>{exact(after)}</dd>
        </div>
        <div>
          <dt>Every row is multiplied by their ratio</dt>
          <dd>× {exact(ratio)}</dd>
        </div>
      </dl>
      <p className="help">
        Both means are taken over {over}. “{label}” brings the mean back: this is why rows without a weight change, too.
      </p>
      {isOdd && (
        <p className="warning">
          The ratio is far from 1 because the mean of w·z is near 0 or has changed its sign: “{label}” distorts the
          whole prompt here, as the original does.
        </p>
      )}
    </div>
  );
}
