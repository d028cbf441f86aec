import { useMemo } from 'react';
import { methods } from '../../weighting/methods.ts';
import { differenceMap, type MethodComparison } from '../../weighting/study/compareMethods.ts';
import { reach } from '../embeddings/embeddingMaps.ts';
import { brief, exact, rough } from '../page/numbers.ts';
import { useDark } from '../page/useFacts.ts';
import { signedScale } from '../pictures/color.ts';
import { Heatmap, stateCells } from '../pictures/Heatmap.tsx';
import { Legend } from '../pictures/Legend.tsx';
import { heatmapPixels, range } from '../pictures/pixels.ts';
import { usePointed } from '../pictures/pointed.ts';
import { RowNorms, withoutPad } from '../pictures/RowNorms.tsx';
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
  const { pixels, scale, largest } = useMemo(() => {
    const finite = map.difference.filter(Number.isFinite);
    const { reach: most, largest } = finite.length > 0 ? reach(finite) : { reach: 0, largest: 0 };
    const scale = signedScale(most || largest, dark, true);
    const pixels = heatmapPixels({ values: map.difference, stride: d, rows: range(rows), columns: range(d), scale });
    return { pixels, scale, largest };
  }, [map, d, rows, dark]);
  const title = `${a} − ${b}`;
  return (
    <div className={styles.difference}>
      <figure>
        <figcaption>
          <b>{title}</b>
          <span className="muted">
            A − B: {rows} tokens × {d} dimensions, largest magnitude {rough(largest)}
          </span>
        </figcaption>
        <Heatmap
          pixels={pixels}
          rows={rows}
          columns={d}
          name={title}
          summary={`${title}: ${rows} tokens as rows, ${d} dimensions as columns, values up to ${rough(largest)} in magnitude.`}
          {...stateCells}
        />
        <Legend title="Value" scale={scale} />
        {largest === 0 && map.nonFiniteRows.length === 0 && (
          <p className="help">The two make the same of this prompt, to the last bit.</p>
        )}
        <Readout difference={map.difference} d={d} labels={labels} />
      </figure>
      <RowNorms
        id="difference-norms"
        caption="Norm of each row, ‖A − B‖"
        columns={[{ name: 'Norm', values: map.distances }]}
        labels={labels}
        {...withoutPad(kinds)}
        format={(value) => (Number.isNaN(value) ? 'not finite' : brief(value))}
      />
    </div>
  );
}

interface ReadoutProps {
  readonly difference: Float32Array;
  readonly d: number;
  readonly labels: readonly string[];
}

function Readout({ difference, d, labels }: ReadoutProps) {
  const { query, dimension } = usePointed();
  if (query === null || dimension === null || dimension >= d) return <p className="readout muted">Point at a value.</p>;
  return (
    <p className="readout">
      Token <b className="query">{`${query} ${labels[query]}`}</b>, dimension <b>{dimension}</b>:{' '}
      <b>{exact(difference[query * d + dimension])}</b>
    </p>
  );
}
