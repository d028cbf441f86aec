import { memo, useEffect, useMemo, useRef } from 'react';
import { layerValues, lossFloor, multiplicities, type ShownObjective } from '../../state/lab/labNumbers.ts';
import { labOrigin } from '../../state/lab/labOrigin.ts';
import { type LabLayer, layersOf } from '../../state/lab/labSettings.ts';
import type { LabBatch } from '../../worker/lab/labMessages.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useDark } from '../page/useFacts.ts';
import { Heatmap } from '../pictures/Heatmap.tsx';
import { heatmapPixels, range } from '../pictures/pixels.ts';
import { type Pointing, usePointed } from '../pictures/pointed.ts';
import { cellAt, layerNames, layerScale, legendTitles } from './cells.ts';
import styles from './objective.module.css';
import { Thumbnails } from './Thumbnails.tsx';
import { useLab, useLabStore } from './useLab.ts';

/** Most captions that there is room for beside the matrix, and pictures above it. */
const mostLabels = 32;
const mostThumbnails = 64;

interface LabMatrixProps {
  readonly shown: ShownObjective;
  readonly batch: LabBatch;
  readonly layer: LabLayer;
  readonly pointing: Pointing;
}

/** A layer of S [N, N] with its captions and pictures. */
export function LabMatrix({ shown, batch, layer, pointing }: LabMatrixProps) {
  const { N } = shown;
  const dark = useDark();
  const lab = useLabStore();
  const all = useMemo(() => range(N), [N]);
  const { scale, pixels } = useMemo(() => {
    const values = layerValues(shown, layer);
    const scale = layerScale(layer, values, N, dark);
    return { scale, pixels: heatmapPixels({ values, stride: N, rows: all, columns: all, scale }) };
  }, [shown, layer, dark, N, all]);
  return (
    <>
      <LayerChoice layer={layer} />
      <div className={styles.matrix} data-part="similarities" data-labelled={N <= mostLabels || undefined}>
        <p className={styles.axes}>
          captions ↓<br />
          pictures →
        </p>
        {N <= mostThumbnails ? (
          <Strip batch={batch} pointing={pointing} />
        ) : (
          <p className="muted small">{N} pictures</p>
        )}
        {N <= mostLabels && <Captions captions={batch.captions} pointing={pointing} />}
        <Heatmap
          pixels={pixels}
          rows={N}
          columns={N}
          name={`${layerNames[layer]} of ${N} captions and ${N} pictures`}
          summary={`${layerNames[layer]}: ${N} captions down, ${N} pictures across. The mean probability of the right pair is ${meanDiagonal(shown.clip.textToImage.probabilities, N).toFixed(3)}.`}
          pointing={pointing}
          cellOf={({ query, key }) => ({ row: within(query, N), column: within(key, N) })}
          pointedOf={cellAt}
          axes={{ rows: 'captions', columns: 'pictures' }}
          legend={{ title: legendTitles[layer], scale }}
          origin={() => labOrigin(lab.getState())}
        >
          <Outline N={N} alike={batch.alike} />
        </Heatmap>
      </div>
      <Floor batch={batch} />
    </>
  );
}

const within = (index: number | null, N: number) => (index === null ? null : Math.min(index, N - 1));

const meanDiagonal = (probabilities: Float64Array, N: number) =>
  range(N).reduce((sum, i) => sum + probabilities[i * (N + 1)], 0) / N;

function LayerChoice({ layer }: { readonly layer: LabLayer }) {
  const objective = useLab((s) => s.run.settings.objective);
  const watched = useLab((s) => s.settings.watched);
  const isSlow = useLab((s) => s.settings.isSlow);
  const change = useLab((s) => s.change);
  return (
    <div className={styles.settings}>
      <Segmented
        legend="Cells"
        name="lab-layer"
        className={styles.layers}
        choices={layersOf(objective).map((value) => ({ value, label: layerNames[value] }))}
        value={layer}
        onChange={(layer) => change({ layer })}
      />
      <Segmented
        legend="Batch"
        name="lab-watched"
        choices={
          [
            { value: 'fixed', label: 'always the same' },
            { value: 'step', label: 'each step’s own' },
          ] as const
        }
        value={isSlow ? 'step' : watched}
        onChange={(watched) => change({ watched, ...(watched === 'fixed' && { isSlow: false }) })}
      />
    </div>
  );
}

/** Pictures across, as wide as their columns. */
const Strip = memo(function Strip({ batch, pointing }: { readonly batch: LabBatch; readonly pointing: Pointing }) {
  const { key } = usePointed(pointing);
  const N = batch.captions.length;
  return (
    <div className={styles.strip} data-part="pictures">
      <Thumbnails pictures={batch.pictures} columns={range(N)} label={`${N} pictures`} />
      {key !== null && (
        <i
          className={styles.stripMark}
          style={{ insetInlineStart: `${(100 * Math.min(key, N - 1)) / N}%`, width: `${100 / N}%` }}
        />
      )}
    </div>
  );
});

const Captions = memo(function Captions({
  captions,
  pointing,
}: {
  readonly captions: readonly string[];
  readonly pointing: Pointing;
}) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const mark = () => {
      const { query } = pointing.get();
      for (const [i, item] of [...(list.current?.children ?? [])].entries())
        (item as HTMLElement).toggleAttribute('data-pointed', i === query);
    };
    mark();
    return pointing.subscribe(mark);
  });
  return (
    <ol className={styles.captions} ref={list} data-part="captions">
      {captions.map((caption, i) => (
        <li key={i} title={caption} onPointerEnter={() => pointing.rest(cellAt(i, i))}>
          {caption}
        </li>
      ))}
    </ol>
  );
});

const square = (row: number, column: number) => `M${column} ${row}h1v1h-1z`;

/** The diagonal that is ideal (Fig. 3), and cells whose caption is the diagonal's own once more. */
const Outline = memo(function Outline({ N, alike }: { readonly N: number; readonly alike: Uint32Array }) {
  const diagonal =
    N <= mostThumbnails ? range(N).map((i) => square(i, i)) : [`M1 0L${N} ${N - 1}`, `M0 1L${N - 1} ${N}`];
  const twins = range(N).flatMap((i) =>
    range(N).flatMap((j) => (i !== j && alike[i] === alike[j] ? [square(i, j)] : [])),
  );
  return (
    <svg className={styles.outline} viewBox={`0 0 ${N} ${N}`} aria-hidden="true">
      <path className={styles.diagonalBack} d={diagonal.join('')} />
      <path className={styles.diagonal} d={diagonal.join('')} />
      <path className={styles.diagonalBack} d={twins.join('')} />
      <path className={styles.twins} d={twins.join('')} />
    </svg>
  );
});

/** Says what the outlines are, and what duplicated captions cost. */
function Floor({ batch }: { readonly batch: LabBatch }) {
  const name = useLab((s) => s.run.settings.objective);
  const repeated = multiplicities(batch.alike).filter((m) => m > 1).length;
  return (
    <p className="help">
      Outlined: the ideal state, where each caption has its own picture (Fig. 3).{' '}
      {repeated === 0
        ? 'No caption is in this batch twice.'
        : `Dashed: ${repeated} captions of this batch are there more than once. One text has one vector, so nothing can tell their pictures apart, and the loss of this batch cannot fall below ${lossFloor(name, batch.alike).toFixed(3)}.`}
    </p>
  );
}
