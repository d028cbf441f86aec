import { useMemo, useRef, useState } from 'react';
import { useWidth } from '../page/useWidth.ts';
import type { ColourScale } from '../pictures/color.ts';
import { Heatmap } from '../pictures/Heatmap.tsx';
import matrixStyles from '../pictures/matrix.module.css';
import { heatmapPixels, range } from '../pictures/pixels.ts';
import { createPointing, nothing, usePointed } from '../pictures/pointed.ts';
import { TokenLabels } from '../pictures/TokenLabels.tsx';
import styles from './analyses.module.css';

interface GridPictureProps {
  readonly name: string;
  readonly axes: { readonly rows: string; readonly columns: string };
  readonly rowLabels: readonly string[];
  readonly columnLabels: readonly string[];
  /** [rows][columns]; null where there can be no value. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly scale: ColourScale;
  readonly unit: string;
  /** Says why a cell has no value; the picture hatches it. */
  readonly cannot?: string;
  readonly format: (value: number) => string;
  onChoose?(row: number, column: number): void;
}

/** Smallest size of a cell, in CSS pixels, at which its label has room; the largest that a cell is drawn. */
const labelledCell = 13;
const largestCell = 34;
const labelRoom = 90;

/** Draws a table of numbers as a picture whose cells can be pointed at, with the number in words below. */
export function GridPicture(props: GridPictureProps) {
  const { name, axes, rowLabels, columnLabels, values, scale, unit, cannot, format, onChoose } = props;
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [pointing] = useState(createPointing);
  const { query, key } = usePointed(pointing);
  const [rows, columns] = [rowLabels.length, columnLabels.length];
  const pixels = useMemo(() => {
    const flat = values.flat();
    return heatmapPixels({
      values: flat.map((value) => value ?? 0),
      mask: flat.map((value) => (value === null ? 0 : 1)),
      stride: columns,
      rows: range(rows),
      columns: range(columns),
      scale,
    });
  }, [values, rows, columns, scale]);
  const cell = width > 0 ? Math.min(largestCell, (width - labelRoom) / columns) : largestCell;
  const everyColumn = Math.max(1, Math.ceil(labelledCell / cell));
  const height = Math.max(cell, labelledCell) * rows;
  const value = query === null || key === null ? undefined : values[query]?.[key];
  const hasCannot = cannot !== undefined && values.some((row) => row.includes(null));
  return (
    <figure className={styles.grid}>
      <figcaption>{name}</figcaption>
      <div
        ref={frame}
        className={matrixStyles.matrix}
        data-dense={everyColumn > 1 || undefined}
        style={{
          maxWidth: `calc(${columns * largestCell}px + var(--label-room))`,
          ...({ '--heatmap-ratio': 'auto', '--heatmap-height': `${height}px` } as React.CSSProperties),
        }}
      >
        <span className={matrixStyles.axis}>
          {axes.columns} →<br />
          {axes.rows} ↓
        </span>
        <TokenLabels side="columns" list={null} shown={range(columns)} labels={columnLabels} every={everyColumn} />
        <TokenLabels side="rows" list={null} shown={range(rows)} labels={rowLabels} />
        <Heatmap
          pixels={pixels}
          rows={rows}
          columns={columns}
          name={name}
          summary={`${name}: ${rows} rows (${axes.rows}), ${columns} columns (${axes.columns}).`}
          axes={axes}
          labels={{ rows: rowLabels, columns: columnLabels }}
          legend={{ title: unit, scale, masked: hasCannot ? cannot : false }}
          pointing={pointing}
          cellOf={(pointed) => ({ row: pointed.query, column: pointed.key })}
          pointedOf={(row, column) => ({ ...nothing, query: row, key: column })}
          onChoose={onChoose}
        />
      </div>
      <p className={`readout ${styles.readout}`} role="status">
        {query === null || key === null || value === undefined
          ? `Point at a cell, or move over the picture with the arrow keys.${onChoose ? ' A click or Enter chooses it.' : ''}`
          : `${axes.rows} ${rowLabels[query]}, ${axes.columns} ${columnLabels[key]}: ${value === null ? cannot : `${format(value)} ${unit}`}`}
      </p>
    </figure>
  );
}
