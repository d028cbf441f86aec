import type { Pointed } from '../pictures/pointed.ts';
import { faintest, type ShownMap } from './attentionMaps.ts';

/** Sizes of the drawing in CSS pixels. */
export interface LinesLayout {
  readonly width: number;
  readonly height: number;
  readonly rowHeight: number;
}

/**
 * Draws one line from each query, left, to each key, right. Its opacity is the probability, relative to `most`. Lines of
 * the token that is pointed at stand out.
 */
export function drawLines(
  context: CanvasRenderingContext2D,
  { map, mask, L, shown }: ShownMap,
  most: number,
  { width, height, rowHeight }: LinesLayout,
  { query, key }: Pointed,
): void {
  const style = getComputedStyle(context.canvas);
  const colours = { query: style.getPropertyValue('--accent'), key: style.getPropertyValue('--accent-2') };
  const isPointed = (query !== null && shown.includes(query)) || (key !== null && shown.includes(key));
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineWidth = shown.length > 32 ? 1.25 : 2;
  shown.forEach((i, row) => {
    shown.forEach((j, column) => {
      if (mask[i * L + j] === 0) return;
      const fromQuery = i === query;
      const toKey = j === key && !(query !== null && query === key);
      const opacity = (map[i * L + j] / most) * (isPointed && !fromQuery && !toKey ? 0.08 : 1);
      if (opacity < faintest) return;
      context.globalAlpha = Math.min(opacity, 1);
      context.strokeStyle = toKey && !fromQuery ? colours.key : colours.query;
      const [from, to] = [(row + 0.5) * rowHeight, (column + 0.5) * rowHeight];
      context.beginPath();
      context.moveTo(0, from);
      context.bezierCurveTo(width * 0.4, from, width * 0.6, to, width, to);
      context.stroke();
    });
  });
}
