import type { KeyboardEvent } from 'react';

/** A move by arrow keys. Home, End, PageUp and PageDown give ±Infinity: a move to the end. */
export interface Move {
  readonly rows: number;
  readonly columns: number;
}

const moves: Readonly<Record<string, Move>> = {
  ArrowUp: { rows: -1, columns: 0 },
  ArrowDown: { rows: 1, columns: 0 },
  ArrowLeft: { rows: 0, columns: -1 },
  ArrowRight: { rows: 0, columns: 1 },
  PageUp: { rows: Number.NEGATIVE_INFINITY, columns: 0 },
  PageDown: { rows: Number.POSITIVE_INFINITY, columns: 0 },
  Home: { rows: 0, columns: Number.NEGATIVE_INFINITY },
  End: { rows: 0, columns: Number.POSITIVE_INFINITY },
};

/** Limits an index to [0, count). */
export function clampIndex(index: number, count: number): number {
  return Math.min(Math.max(index, 0), count - 1);
}

/** Reads a key press as a move, ten times as far with Shift; null for other keys. */
export function moveOf({ key, shiftKey, altKey, ctrlKey, metaKey }: KeyboardEvent): Move | null {
  const move = moves[key];
  if (!move || altKey || ctrlKey || metaKey) return null;
  const factor = shiftKey ? 10 : 1;
  return { rows: move.rows * factor, columns: move.columns * factor };
}

/**
 * Moves the focus among the elements inside that `selector` finds, of which Tab reaches one. With `by` "cells", those in
 * one table row are a row; otherwise each is a row of its own.
 */
export function moveFocus(event: KeyboardEvent<HTMLElement>, selector: string, by: 'rows' | 'cells' = 'rows'): void {
  const move = moveOf(event);
  if (!move || (by === 'rows' && move.rows === 0)) return;
  const elementsIn = (parent: Element) => [...parent.querySelectorAll<HTMLElement>(selector)];
  const rows =
    by === 'cells'
      ? [...event.currentTarget.querySelectorAll('tr')].map(elementsIn)
      : elementsIn(event.currentTarget).map((element) => [element]);
  const row = rows.findIndex((elements) => elements.includes(event.target as HTMLElement));
  if (row < 0) return;
  event.preventDefault();
  const target = rows[clampIndex(row + move.rows, rows.length)];
  const column = rows[row].indexOf(event.target as HTMLElement);
  target[clampIndex(column + move.columns, target.length)]?.focus();
}
