import { useMemo, useState } from 'react';
import type { TextMatrix } from '../../../state/lab/textMatrix.ts';
import { percent } from '../../page/numbers.ts';
import { Segmented } from '../../page/Segmented.tsx';
import { useDark } from '../../page/useFacts.ts';
import { Heatmap } from '../../pictures/Heatmap.tsx';
import { heatmapPixels, range } from '../../pictures/pixels.ts';
import { createPointing, usePointed } from '../../pictures/pointed.ts';
import { cellAt, layerNames, layerScale } from '../cells.ts';
import styles from './texts.module.css';

const layers = ['cosine', 'logits', 'byRow'] as const;
type Layer = (typeof layers)[number];

const titles: Readonly<Record<Layer, string>> = {
  cosine: '⟨u, u′⟩',
  logits: 'S = ⟨u, u′⟩ / τ',
  byRow: 'softmax of the row',
};

interface TextMatrixPictureProps {
  readonly matrix: TextMatrix;
  readonly texts: readonly string[];
  readonly temperature: string;
}

const minus = (text: string) => text.replace('-', '−');

/** S of texts against texts, with the numbers of the cell that is pointed at. */
export function TextMatrixPicture({ matrix, texts, temperature }: TextMatrixPictureProps) {
  const { N, cosines, S, byRow } = matrix;
  const [layer, setLayer] = useState<Layer>('cosine');
  const [pointing] = useState(() => createPointing(cellAt(0, 1)));
  const { query, key } = usePointed(pointing);
  const dark = useDark();
  const { scale, pixels } = useMemo(() => {
    const values = { cosine: cosines, logits: S, byRow }[layer];
    const scale = layerScale(layer, values, N, dark);
    return { scale, pixels: heatmapPixels({ values, stride: N, rows: range(N), columns: range(N), scale }) };
  }, [cosines, S, byRow, layer, N, dark]);
  const within = (index: number | null) => Math.min(index ?? 0, N - 1);
  const [row, column] = [within(query), within(key)];
  const cell = row * N + column;
  return (
    <figure>
      <Segmented
        legend="Cells"
        name="texts-layer"
        choices={layers.map((value) => ({ value, label: layerNames[value] }))}
        value={layer}
        onChange={setLayer}
      />
      <div className={styles.matrix}>
        <div className={styles.columns} aria-hidden="true">
          {texts.map((text, i) => (
            <span key={text} data-pointed={i === column || undefined}>
              {i + 1}
            </span>
          ))}
        </div>
        <ol aria-label="Texts">
          {texts.map((text, i) => (
            <li key={text} title={text} data-pointed={i === row || undefined}>
              <span>{text}</span> {i + 1}
            </li>
          ))}
        </ol>
        <Heatmap
          pixels={pixels}
          rows={N}
          columns={N}
          name={`${layerNames[layer]} of ${N} texts with each other`}
          summary={`${layerNames[layer]}: ${N} texts down, the same across.`}
          pointing={pointing}
          cellOf={({ query, key }) => ({
            row: query === null ? null : within(query),
            column: key === null ? null : within(key),
          })}
          pointedOf={cellAt}
          axes={{ rows: 'texts', columns: 'texts' }}
          legend={{ title: titles[layer], scale }}
          origin={() => ({ inShort: `${N} texts, τ ${temperature}`, prompts: [...texts] })}
        />
      </div>
      <p className="readout" aria-live="polite">
        {row + 1} “{texts[row]}” with {column + 1} “{texts[column]}”: cosine {minus(cosines[cell].toFixed(4))}, logit{' '}
        {minus(S[cell].toFixed(3))}, softmax by row {percent(byRow[cell])}
      </p>
    </figure>
  );
}
