import { Fragment, useMemo, useRef } from 'react';
import { exact, rough } from '../page/numbers.ts';
import { useReadAloud } from '../page/useReadAloud.ts';
import { useWidth } from '../page/useWidth.ts';
import type { ColourScale } from './color.ts';
import { type Cell, Heatmap } from './Heatmap.tsx';
import { heatmapPixels, range } from './pixels.ts';
import { type Pointed, usePointedAmong } from './pointed.ts';
import { pooledColumns, pooledText, poolingFactor } from './pooling.ts';

interface StatePictureProps {
  readonly name: string;
  /** [rows, d] */
  readonly values: Float32Array;
  readonly d: number;
  /** [rows] */
  readonly labels: readonly string[];
  readonly scale: ColourScale;
  /** The largest magnitude. */
  readonly largest: number;
  /** The noun for a row. */
  readonly row?: string;
}

/** Draws rows of numbers, one a token, or another thing that is named: each number is a cell, or several are pooled where there is no room for that. */
export function StatePicture({ name, values, d, labels, scale, largest, row = 'token' }: StatePictureProps) {
  const frame = useRef<HTMLElement>(null);
  const width = useWidth(frame);
  const rows = values.length / d;
  const factor = poolingFactor(d, width * devicePixelRatio);
  const pooled = useMemo(() => pooledColumns(values, d, factor), [values, d, factor]);
  const pixels = useMemo(
    () =>
      heatmapPixels({
        values: pooled.values,
        stride: pooled.columns,
        rows: range(rows),
        columns: range(pooled.columns),
        scale,
      }),
    [pooled, rows, scale],
  );
  const each = pooledText(factor, 'dimension');
  return (
    <figure ref={frame}>
      <figcaption>
        <b>{name}</b>
        <span className="muted">
          {rows} {row}s × {d} dimensions, values up to ±{rough(largest)}
          {factor > 1 && `; a cell shows ${each}`}
        </span>
      </figcaption>
      <Heatmap
        pixels={pixels}
        rows={rows}
        columns={pooled.columns}
        name={name}
        summary={`${name}: ${rows} ${row}s as rows, ${d} dimensions as columns, values up to ${rough(largest)} in magnitude.`}
        cellOf={({ query, dimension }): Cell => ({
          row: query,
          column: dimension === null ? null : Math.floor(dimension / factor),
        })}
        pointedOf={(row, column): Pointed => ({ query: row, key: row, dimension: pooled.columnOf(row, column) })}
        axes={{ rows: row, columns: each }}
        labels={{ rows: labels }}
        legend={{ title: 'Value', scale }}
      />
    </figure>
  );
}

interface StateReadoutProps {
  /** Matrices [rows, d] whose values are told, each by its name where there are several. */
  readonly matrices: readonly { readonly name: string; readonly values: Float32Array }[];
  readonly labels: readonly string[];
  readonly d: number;
  /** Number of the first row. */
  readonly from?: number;
}

/** Tells the values at the token and dimension that are pointed at. */
export function StateReadout({ matrices, labels, d, from = 0 }: StateReadoutProps) {
  const { query, dimension } = usePointedAmong(labels.length);
  const readAloud = useReadAloud();
  if (query === null || dimension === null || dimension >= d) return <p className="readout muted">Point at a value.</p>;
  return (
    <p className="readout" aria-live={readAloud}>
      Token <b className="query">{`${from + query} ${labels[query]}`}</b>, dimension <b>{dimension}</b>:{' '}
      {matrices.map(({ name, values }, i) => (
        <Fragment key={name}>
          {i > 0 && ', '}
          {matrices.length > 1 && `${name.split(' ')[0].toLowerCase()} `}
          <b data-testid="value">{exact(values[query * d + dimension])}</b>
        </Fragment>
      ))}
    </p>
  );
}
