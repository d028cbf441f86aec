import { type KeyboardEvent, type PointerEvent, type ReactNode, useEffect, useLayoutEffect, useRef } from 'react';
import type { PictureOrigin } from '../../state/pictureOrigin.ts';
import { clampIndex, moveOf } from '../page/roving.ts';
import styles from './heatmap.module.css';
import { Legend } from './Legend.tsx';
import type { PictureText } from './pictureFile.ts';
import { nothing, type Pointed, type Pointing, pointed as pagePointed } from './pointed.ts';
import { SavePng } from './SavePicture.tsx';

export interface Cell {
  readonly row: number | null;
  readonly column: number | null;
}

interface HeatmapProps extends Omit<PictureText, 'title'> {
  /** [rows, columns, 4] RGBA; masked cells are transparent. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  readonly rows: number;
  readonly columns: number;
  readonly name: string;
  /** One sentence for people who cannot see the picture. */
  readonly summary: string;
  /** Returns the cell, row or column to mark for the thing that is pointed at. */
  cellOf(pointed: Pointed): Cell;
  /** Returns the thing that a cell stands for. */
  pointedOf(row: number, column: number): Pointed;
  /** Hears of a cell that was clicked, or on which Enter was pressed. */
  onChoose?(row: number, column: number): void;
  /** Holds what is pointed at; the page's own by default. */
  readonly pointing?: Pointing;
  /** Says in a saved picture of what it is, where it is not of the prompt. */
  origin?(): PictureOrigin;
  /** Drawn over the cells. */
  readonly children?: ReactNode;
}

/**
 * Draws a matrix, one pixel a cell, scaled by CSS. Pointer, touch and arrow keys (with Shift by 10) point at its cells.
 */
export function Heatmap({
  pixels,
  rows,
  columns,
  name,
  summary,
  cellOf,
  pointedOf,
  onChoose,
  pointing: pointed = pagePointed,
  origin,
  children,
  axes,
  labels,
  legend,
}: HeatmapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const rowMark = useRef<HTMLDivElement>(null);
  const columnMark = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    context?.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  }, [pixels, rows, columns]);

  useEffect(() => {
    const place = () => {
      const { row, column } = cellOf(pointed.get());
      if (rowMark.current) {
        rowMark.current.hidden = row === null;
        rowMark.current.style.top = `${((row ?? 0) / rows) * 100}%`;
        rowMark.current.style.height = `${100 / rows}%`;
      }
      if (columnMark.current) {
        columnMark.current.hidden = column === null;
        columnMark.current.style.left = `${((column ?? 0) / columns) * 100}%`;
        columnMark.current.style.width = `${100 / columns}%`;
      }
    };
    place();
    return pointed.subscribe(place);
  });

  const onPointer = (event: PointerEvent<HTMLElement>) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || box.width === 0) return;
    const row = clampIndex(Math.floor(((event.clientY - box.top) / box.height) * rows), rows);
    const column = clampIndex(Math.floor(((event.clientX - box.left) / box.width) * columns), columns);
    const at = pointedOf(row, column);
    pointed.over(at);
    if (event.type !== 'pointerdown') return;
    pointed.rest(at);
    onChoose?.(row, column);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      pointed.rest(null);
      return;
    }
    const { row, column } = cellOf(pointed.get());
    if (event.key === 'Enter' && row !== null && column !== null) onChoose?.(row, column);
    const move = moveOf(event);
    if (!move) return;
    event.preventDefault();
    // The first key press only shows the cell; the next ones move from it.
    const { rows: down, columns: right } = row === null || column === null ? { rows: 0, columns: 0 } : move;
    pointed.over(null);
    pointed.rest(pointedOf(clampIndex((row ?? 0) + down, rows), clampIndex((column ?? 0) + right, columns)));
  };

  const picture = (
    // The arrow keys must reach the picture, not a screen reader's own cursor.
    <div
      className={styles.heatmap}
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard moves the readout over the cells
      tabIndex={0}
      aria-label={`${name}: arrow keys move over the cells${onChoose ? ', Enter chooses one' : ''}`}
      onPointerMove={onPointer}
      onPointerDown={onPointer}
      onPointerLeave={() => pointed.over(null)}
      onKeyDown={onKeyDown}
    >
      <canvas ref={canvas} width={columns} height={rows} role="img" aria-label={summary} />
      {children}
      <div ref={rowMark} className={`${styles.mark} ${styles.rowMark}`} hidden />
      <div ref={columnMark} className={`${styles.mark} ${styles.columnMark}`} hidden />
    </div>
  );
  return (
    <>
      {picture}
      <div className={styles.underPicture}>
        {legend && <Legend {...legend} />}
        <SavePng canvas={canvas} text={{ title: name, axes, labels, legend }} origin={origin} />
      </div>
    </>
  );
}

/** Cells of a picture whose rows and columns are tokens. */
export function tokenCells(rows: readonly number[], columns: readonly number[]) {
  const indexOf = (list: readonly number[], token: number | null) => {
    const at = token === null ? -1 : list.indexOf(token);
    return at < 0 ? null : at;
  };
  return {
    cellOf: ({ query, key }: Pointed): Cell => ({ row: indexOf(rows, query), column: indexOf(columns, key) }),
    pointedOf: (row: number, column: number): Pointed => ({ ...nothing, query: rows[row], key: columns[column] }),
  };
}
