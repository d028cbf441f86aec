import { memo, useMemo } from 'react';
import { stages } from '../../clip/stages.ts';
import { useLayerMatrices } from '../anatomy/Tensor.tsx';
import { reach } from '../embeddings/embeddingMaps.ts';
import { useDark } from '../page/useFacts.ts';
import { Waiting } from '../page/Waiting.tsx';
import { Heatmap, tokenCells } from '../pictures/Heatmap.tsx';
import { heatmapPixels, range } from '../pictures/pixels.ts';
import { usePointed } from '../pictures/pointed.ts';
import { StatePicture } from '../pictures/StatePicture.tsx';
import { signedScale } from '../pictures/valueScales.ts';
import { cosineOf, cosines } from './cosines.ts';
import { LessonEquations } from './LessonEquations.tsx';
import styles from './lecture.module.css';
import { type LessonFacts, lessonNumbers } from './lessonNumbers.ts';
import type { Lesson } from './lessons.ts';

const embeddings = stages.find(({ key }) => key === 'embeddings')!;

/** [L, d] The model's position table, once it is read back; its rows are those of every prompt. */
function usePositions(): { readonly table: Float32Array; readonly d: number } | undefined {
  const { shown } = useLayerMatrices(embeddings);
  return useMemo(
    () =>
      shown && {
        table: Float32Array.from(shown.matrices('position_embedding')),
        d: shown.inspection.config.hiddenSize,
      },
    [shown],
  );
}

interface PositionsProps {
  readonly lesson: Lesson;
  readonly facts: LessonFacts;
}

/** The position table with its equation, and how alike its rows are. */
export function Positions({ lesson, facts }: PositionsProps) {
  const positions = usePositions();
  const { query, key } = usePointed();
  if (!positions) return <Waiting />;
  const { table, d } = positions;
  const last = table.length / d - 1;
  const places = [Math.min(query ?? 0, last), Math.min(key ?? 1, last)] as const;
  return (
    <>
      <LessonEquations lesson={lesson} numbers={lessonNumbers('length', { ...facts, positions: table, places })} />
      <Pictures table={table} d={d} />
    </>
  );
}

const Pictures = memo(function Pictures({ table, d }: { readonly table: Float32Array; readonly d: number }) {
  const dark = useDark();
  const L = table.length / d;
  const places = useMemo(() => range(L), [L]);
  const labels = useMemo(() => places.map((place) => `place ${place}`), [places]);
  const own = useMemo(() => reach(table), [table]);
  const alike = useMemo(() => cosines(table, d), [table, d]);
  const scale = useMemo(() => signedScale(1, dark), [dark]);
  const pixels = useMemo(
    () => heatmapPixels({ values: alike, stride: L, rows: places, columns: places, scale }),
    [alike, L, places, scale],
  );
  const cells = useMemo(() => tokenCells(places, places), [places]);
  return (
    <div className={styles.positions}>
      <div data-part="position-table">
        <StatePicture
          name="Position table"
          values={table}
          d={d}
          labels={labels}
          scale={signedScale(own.reach || own.largest, dark, true)}
          largest={own.largest}
          row="place"
        />
      </div>
      <figure data-part="cosines" className={styles.cosines}>
        <figcaption>
          <b>Cosine of place with place</b> <span className="muted">{`${L} × ${L}`}</span>
        </figcaption>
        <Heatmap
          pixels={pixels}
          rows={L}
          columns={L}
          name="Cosine of place with place"
          summary={`The cosine of each of ${L} places’ rows with each other’s; 1 on the diagonal.`}
          axes={{ rows: 'place', columns: 'place' }}
          labels={{ rows: labels, columns: labels }}
          legend={{ title: 'Cosine', scale }}
          {...cells}
        />
        <CosineReadout table={table} d={d} />
      </figure>
      <p className={styles.next}>
        Token {L + 1} would need row {L} of this table, {d} more numbers. Rows count from 0, so the table ends at row{' '}
        {L - 1}.
      </p>
    </div>
  );
});

function CosineReadout({ table, d }: { readonly table: Float32Array; readonly d: number }) {
  const { query, key } = usePointed();
  if (query === null || key === null || Math.max(query, key) >= table.length / d)
    return <p className="readout muted">Point at a cell.</p>;
  return (
    <p className="readout">
      Place <b className="query">{query}</b> with place <b className="key">{key}</b>:{' '}
      <b data-testid="cosine">{cosineOf(table, query, key, d).toFixed(4)}</b>
    </p>
  );
}
