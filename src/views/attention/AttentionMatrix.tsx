import { useMemo, useRef } from 'react';
import { useWidth } from '../page/useWidth.ts';
import type { ColourScale } from '../pictures/color.ts';
import { Heatmap, tokenCells } from '../pictures/Heatmap.tsx';
import matrixStyles from '../pictures/matrix.module.css';
import { heatmapPixels } from '../pictures/pixels.ts';
import { useMarks } from '../pictures/pointed.ts';
import { TokenLabels } from '../pictures/TokenLabels.tsx';
import { AttentionReadout } from './AttentionReadout.tsx';
import type { ShownMap } from './attentionMaps.ts';

/** Smallest height of a cell, in CSS pixels, at which its row has room for a label. */
const labelledCell = 12;
const largestCell = 52;
/** Width of the row labels where they are written, with the gap beside them, in CSS pixels. */
const labelRoom = 82;

/** Draws one head enlarged: rows are queries, columns keys. */
export function AttentionMatrix(props: ShownMap & { readonly title: string; readonly scale: ColourScale }) {
  const { map, mask, L, shown, labels, title, scale } = props;
  const rowLabels = useRef<HTMLOListElement>(null);
  const columnLabels = useRef<HTMLOListElement>(null);
  // The frame is measured: the picture's own width depends on whether labels are written, and would go to and fro with them.
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  useMarks(rowLabels, 'query');
  useMarks(columnLabels, 'key');
  const pixels = useMemo(
    () => heatmapPixels({ values: map, stride: L, rows: shown, columns: shown, scale, mask }),
    [map, mask, L, shown, scale],
  );
  const cells = useMemo(() => tokenCells(shown, shown), [shown]);
  const n = shown.length;
  const named = shown.map((token) => labels[token]);
  // Without a width nothing is laid out yet.
  const every = width > 0 ? Math.max(1, Math.ceil((labelledCell * n) / (width - labelRoom))) : 1;
  const summary = `${title}: attention of ${n} queries, rows, to ${n} keys, columns.`;

  return (
    <>
      <div
        ref={frame}
        className={matrixStyles.matrix}
        data-dense={every > 1 || undefined}
        style={{ maxWidth: `calc(${n * largestCell}px + var(--label-room))` }}
      >
        <span className={matrixStyles.axis}>
          key →<br />
          query ↓
        </span>
        <TokenLabels side="columns" list={columnLabels} shown={shown} labels={labels} every={every} />
        <TokenLabels side="rows" list={rowLabels} shown={shown} labels={labels} every={every} />
        <Heatmap
          pixels={pixels}
          rows={n}
          columns={n}
          name={title}
          summary={summary}
          axes={{ rows: 'query', columns: 'key' }}
          labels={{ rows: named, columns: named }}
          legend={{ title: 'Probability', scale, masked: true }}
          {...cells}
        />
      </div>
      <AttentionReadout {...props} />
    </>
  );
}
