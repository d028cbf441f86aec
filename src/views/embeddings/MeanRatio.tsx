import { useMemo } from 'react';
import { scale as scaled } from '../../weighting/scale.ts';
import { exact } from '../page/numbers.ts';
import { meanOf } from './embeddingMaps.ts';

interface MeanRatioProps {
  /** [L, d] */
  readonly z: Float32Array;
  /** [L] */
  readonly weights: Float64Array;
  readonly d: number;
  readonly ratio: number;
  /** How many texts share the mean. */
  readonly texts: number;
}

/** Shows what "Original" does to the whole chunk, in numbers. */
export function MeanRatio({ z, weights, d, ratio, texts }: MeanRatioProps) {
  const { before, after } = useMemo(
    () => ({ before: meanOf(z), after: meanOf(scaled(z, weights, d)) }),
    [z, weights, d],
  );
  const isOdd = !(ratio > 0.5 && ratio < 2);
  return (
    <div className="mean-ratio">
      <dl>
        <div>
          <dt>Mean before</dt>
          <dd>{exact(before)}</dd>
        </div>
        <div>
          <dt>Mean of w·z</dt>
          <dd>{exact(after)}</dd>
        </div>
        <div>
          <dt>Ratio, applied to all tokens</dt>
          <dd>× {exact(ratio)}</dd>
        </div>
      </dl>
      {texts > 1 && (
        <p className="help">
          A1111 encodes the {texts} texts of the schedule together and takes one mean over all of them: the ratio is
          theirs, not that of the two means above.
        </p>
      )}
      {isOdd && (
        <p className="warning">
          The ratio is far from 1 because the mean of w·z is near 0 or has changed its sign: “Original” distorts the
          whole prompt here, as A1111 does.
        </p>
      )}
    </div>
  );
}
