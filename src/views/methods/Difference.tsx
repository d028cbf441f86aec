import { useMemo } from 'react';
import { methods } from '../../weighting/methods.ts';
import { differenceMap, type MethodComparison } from '../../weighting/study/compareMethods.ts';
import { reach } from '../embeddings/embeddingMaps.ts';
import { brief } from '../page/numbers.ts';
import { useDark } from '../page/useFacts.ts';
import { RowNorms, withoutPad } from '../pictures/RowNorms.tsx';
import { StatePicture, StateReadout } from '../pictures/StatePicture.tsx';
import { signedScale } from '../pictures/valueScales.ts';
import styles from './methods.module.css';

interface DifferenceProps {
  readonly first: MethodComparison;
  readonly second: MethodComparison;
  readonly d: number;
  /** The first row of the chunk on show. */
  readonly from: number;
  readonly labels: readonly string[];
  readonly kinds: readonly string[];
}

/** One method's rows minus another's, of the chunk on show. */
export function Difference({ first, second, d, from, labels, kinds }: DifferenceProps) {
  const dark = useDark();
  const rows = kinds.length;
  const [a, b] = [methods[first.name].label, methods[second.name].label];
  const map = useMemo(() => {
    const chunkOf = ({ conditioning }: MethodComparison) => conditioning.subarray(from * d, (from + rows) * d);
    return differenceMap(chunkOf(first), chunkOf(second), d);
  }, [first, second, d, from, rows]);
  const { scale, largest } = useMemo(() => {
    const finite = map.difference.filter(Number.isFinite);
    const { reach: most, largest } = finite.length > 0 ? reach(finite) : { reach: 0, largest: 0 };
    return { scale: signedScale(most || largest, dark, true), largest };
  }, [map, dark]);
  const title = `${a} − ${b}`;
  return (
    <div className={styles.difference}>
      <div className={styles.differencePicture}>
        <StatePicture name={title} values={map.difference} d={d} labels={labels} scale={scale} largest={largest} />
        {largest === 0 && map.nonFiniteRows.length === 0 && (
          <p className="help">The two make the same of this prompt, to the last bit.</p>
        )}
        <StateReadout matrices={[{ name: title, values: map.difference }]} labels={labels} d={d} />
      </div>
      <RowNorms
        caption="Distance of each row, ‖A − B‖"
        columns={[{ name: 'Distance', values: map.distances }]}
        labels={labels}
        {...withoutPad(kinds)}
        format={(value) => (Number.isNaN(value) ? 'not finite' : brief(value))}
      />
    </div>
  );
}
