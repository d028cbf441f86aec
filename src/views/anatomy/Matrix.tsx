import { useMemo, useRef, useState } from 'react';
import { attentionMask } from '../../clip/masks.ts';
import type { Operation } from '../../clip/stages.ts';
import { reach } from '../embeddings/embeddingMaps.ts';
import { exact } from '../page/numbers.ts';
import { useDark } from '../page/useFacts.ts';
import { useWidth } from '../page/useWidth.ts';
import { type Cell, Heatmap, tokenCells } from '../pictures/Heatmap.tsx';
import matrixStyles from '../pictures/matrix.module.css';
import { heatmapPixels, range } from '../pictures/pixels.ts';
import { nothing, type Pointed, useMarks, usePointed } from '../pictures/pointed.ts';
import { type PooledColumns, pooledColumns, pooledText, poolingFactor } from '../pictures/pooling.ts';
import { RowNorms, withoutPad } from '../pictures/RowNorms.tsx';
import { TokenLabels } from '../pictures/TokenLabels.tsx';
import { probabilityScale, signedScale } from '../pictures/valueScales.ts';
import styles from './anatomy.module.css';
import { CellExplanation } from './CellExplanation.tsx';
import { type MatrixProps, type MatrixView, matrixOf, numbersOf } from './tensorPicture.ts';

/** CSS pixels of a row, and of the whole picture at most. */
const rowHeight = 20;
const mostHeight = 420;
/** Smallest height or width of a cell whose label is written. */
const labelledCell = 12;

/** A matrix as a picture, with its range, its norms and the sum behind a cell. */
export function Matrix(props: MatrixProps) {
  const { inspection, matrices, labels, kinds, operation, isInput, head } = props;
  const [withPad, setWithPad] = useState(false);
  const [chosen, setChosen] = useState<{ readonly row: number; readonly column: number }>({ row: 1, column: 0 });
  const view = useMemo(
    () => matrixOf(isInput ? { tensor: 'hidden', shape: ['L', 'd'] } : operation, matrices, inspection, head),
    [isInput, operation, matrices, inspection, head],
  );
  const numbers = useMemo(() => numbersOf(view), [view]);
  const rows = useMemo(() => range(kinds.length).filter((row) => withPad || kinds[row] !== 'pad'), [kinds, withPad]);
  const isSquare = operation.shape.length === 3;
  const columns = useMemo(() => (isSquare ? rows : range(view.columns)), [isSquare, rows, view.columns]);
  const cell = {
    row: Math.min(chosen.row, view.rows - 1),
    column: Math.min(chosen.column, view.columns - 1),
  };
  const name = isInput ? 'Residual stream before the stage' : operation.title;
  return (
    <>
      <div className={styles.pictureHead}>
        <p className="small">
          Range {exact(numbers.least)} to {exact(numbers.most)}, mean {exact(numbers.mean)}
        </p>
        <label className="check small">
          <input type="checkbox" checked={withPad} onChange={(event) => setWithPad(event.target.checked)} />
          PAD rows
        </label>
      </div>
      <div className={isSquare ? styles.beside : styles.below}>
        <div className={styles.below}>
          <Picture
            {...{ view, rows, columns, labels, name, isSquare, inspection, operation }}
            onChoose={(row, column) => setChosen({ row, column })}
          />
          <CellReadout {...{ view, labels, isSquare }} headDim={headDimOf(props)} />
        </div>
        <CellExplanation
          {...{ inspection, matrices, operation, isInput, labels, view }}
          head={head}
          place={cell}
          onChoose={setChosen}
        />
      </div>
      <details className={styles.norms}>
        <summary>Norm of each row</summary>
        <RowNorms
          caption={`${name}: norm of each row, ‖·‖₂`}
          columns={[{ name: 'Norm', values: numbers.norms }]}
          labels={labels}
          {...withoutPad(kinds)}
          format={(value) => value.toPrecision(4)}
        />
      </details>
    </>
  );
}

/** The width of a head where the columns are the heads side by side; null where they are not. */
function headDimOf({ operation, inspection }: MatrixProps): number | null {
  return ['q', 'k', 'v', 'attended'].includes(operation.tensor) ? inspection.config.headDim : null;
}

interface PictureProps extends Pick<MatrixProps, 'labels' | 'inspection' | 'operation'> {
  readonly view: MatrixView;
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly name: string;
  /** True where columns are tokens, too. */
  readonly isSquare: boolean;
  onChoose(row: number, column: number): void;
}

function Picture({ view, rows, columns, labels, name, isSquare, inspection, operation, onChoose }: PictureProps) {
  const dark = useDark();
  const rowLabels = useRef<HTMLOListElement>(null);
  const columnLabels = useRef<HTMLOListElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  useMarks(rowLabels, 'query');
  useMarks(columnLabels, 'key');
  const scale = useMemo(() => scaleOf(view, operation, dark), [view, operation, dark]);
  const mask = useMemo(
    () => (isSquare && operation.tensor !== 'scores' ? attentionMask(inspection.pass) : undefined),
    [isSquare, operation, inspection],
  );
  const factor = isSquare ? 1 : poolingFactor(view.columns, width * devicePixelRatio);
  const pooled = useMemo(() => pooledColumns(view.values, view.columns, factor), [view, factor]);
  const shownColumns = useMemo(() => (isSquare ? columns : range(pooled.columns)), [isSquare, columns, pooled]);
  const pixels = useMemo(
    () =>
      heatmapPixels({
        values: pooled.values,
        offset: view.offset,
        stride: pooled.columns,
        rows,
        columns: shownColumns,
        scale,
        mask,
      }),
    [pooled, view, rows, shownColumns, scale, mask],
  );
  const cells = useMemo(
    () => (isSquare ? tokenCells(rows, columns) : wideCells(rows, pooled, factor)),
    [isSquare, rows, columns, pooled, factor],
  );
  const height = Math.min(rows.length * rowHeight, mostHeight);
  const every = (cells: number, room: number) => (room > 0 ? Math.max(1, Math.ceil((labelledCell * cells) / room)) : 1);
  const everyRow = every(rows.length, height);
  const everyColumn = isSquare ? every(columns.length, width) : 1;
  return (
    <div
      ref={frame}
      className={isSquare ? matrixStyles.matrix : `${matrixStyles.matrix} ${styles.wide}`}
      data-dense={everyRow > 1 || everyColumn > 1 || undefined}
      style={
        {
          '--picture-height': `${height}px`,
          ...(isSquare && { maxWidth: `calc(${columns.length * 40}px + var(--label-room))` }),
        } as React.CSSProperties
      }
    >
      <span className={matrixStyles.axis}>
        {isSquare ? 'key →' : 'token ↓'}
        {isSquare && (
          <>
            <br />
            query ↓
          </>
        )}
      </span>
      {isSquare ? (
        <TokenLabels side="columns" list={columnLabels} shown={columns} labels={labels} every={everyColumn} />
      ) : (
        <span className={styles.columnsAxis}>
          <span>column 0{factor > 1 && ` (a cell shows ${pooledText(factor, 'column')})`}</span>
          <span>{view.columns - 1}</span>
        </span>
      )}
      <TokenLabels side="rows" list={rowLabels} shown={rows} labels={labels} every={everyRow} />
      <Heatmap
        pixels={pixels}
        rows={rows.length}
        columns={shownColumns.length}
        name={name}
        summary={`${name}: ${rows.length} tokens as rows, ${columns.length} ${isSquare ? 'keys' : 'columns'}.`}
        axes={{ rows: isSquare ? 'query' : 'token', columns: isSquare ? 'key' : pooledText(factor, 'column') }}
        labels={{ rows: rows.map((row) => labels[row]) }}
        legend={{
          title: operation.tensor === 'probabilities' ? 'Probability' : 'Value',
          scale,
          masked: mask !== undefined,
        }}
        onChoose={(row, column) => onChoose(rows[row], isSquare ? columns[column] : pooled.columnOf(rows[row], column))}
        {...cells}
      />
    </div>
  );
}

/** Cells whose rows are tokens and whose columns are the matrix's own, `factor` of them pooled. */
function wideCells(rows: readonly number[], { columnOf }: PooledColumns, factor: number) {
  return {
    cellOf: ({ query, column }: Pointed): Cell => {
      const row = query === null ? -1 : rows.indexOf(query);
      return { row: row < 0 ? null : row, column: column === undefined ? null : Math.floor(column / factor) };
    },
    pointedOf: (row: number, column: number): Pointed => ({
      ...nothing,
      query: rows[row],
      key: rows[row],
      column: columnOf(rows[row], column),
    }),
  };
}

/** Probabilities from 0 up; anything else about 0, to where all but the largest values reach. */
function scaleOf({ values, offset, rows, columns }: MatrixView, { tensor }: Operation, dark: boolean) {
  const own = Float32Array.from({ length: rows * columns }, (_, i) => {
    const value = values[offset + i];
    return Number.isFinite(value) ? value : 0;
  });
  if (tensor === 'probabilities')
    return probabilityScale(
      'sqrt',
      own.reduce((a, b) => Math.max(a, b), 0),
    );
  const { reach: most, largest } = reach(own);
  return signedScale(most || largest, dark, largest > most);
}

interface CellReadoutProps extends Pick<PictureProps, 'view' | 'labels' | 'isSquare'> {
  readonly headDim: number | null;
}

/** The value that is pointed at. */
function CellReadout({ view, labels, isSquare, headDim }: CellReadoutProps) {
  const { query, key, column: own } = usePointed();
  const column = isSquare ? key : (own ?? null);
  if (query === null || column === null || column >= view.columns)
    return <p className="readout muted">Point at a cell; click it, or press Enter, for the sum that made it.</p>;
  const value = view.values[view.offset + query * view.columns + column];
  return (
    <p className="readout">
      {isSquare ? 'Query' : 'Token'} <b className="query">{`${query} ${labels[query]}`}</b>,{' '}
      {isSquare ? 'key ' : 'column '}
      <b className={isSquare ? 'key' : undefined}>{isSquare ? `${column} ${labels[column]}` : column}</b>
      {headDim !== null && ` (head ${Math.floor(column / headDim) + 1}, ${column % headDim})`}:{' '}
      <b data-testid="value">{value === Number.NEGATIVE_INFINITY ? '−∞' : exact(value)}</b>
    </p>
  );
}
