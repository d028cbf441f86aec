import { type ReactNode, useEffect } from 'react';
import { drawsStudies } from '../../state/picture/drawsStudies.ts';
import type { AskedTake, StudyName } from '../../state/picture/pictureStudies.ts';
import { useFacts } from '../page/useFacts.ts';
import { DrawnStudy } from '../picture/DrawnStudy.tsx';
import { HonestWords } from '../picture/HonestWords.tsx';
import { StudyRow } from '../picture/Studies.tsx';
import { usePictures } from '../picture/usePictures.ts';
import styles from './analyses.module.css';

interface AnalysisPicturesProps {
  readonly study: StudyName;
  /** Pictures that are asked for, in the study of that name. */
  readonly takes?: readonly AskedTake[];
  /** Says what the pictures are. */
  readonly children: ReactNode;
}

const none: readonly AskedTake[] = [];

/** Pictures beside an analysis, of one seed; only where the model in use is the one that they are drawn from. */
export function AnalysisPictures({ study, takes = none, children }: AnalysisPicturesProps) {
  const isDrawn = useFacts(drawsStudies);
  if (!isDrawn) return null;
  return (
    <DrawnStudy name={study}>
      <Drawn study={study} takes={takes}>
        {children}
      </Drawn>
    </DrawnStudy>
  );
}

function Drawn({ study, takes, children }: Required<AnalysisPicturesProps>) {
  const ask = usePictures((s) => s.ask);
  const message = usePictures((s) => s.message);
  useEffect(() => ask(takes), [ask, takes]);
  return (
    <section className={styles.pictures} aria-labelledby="analysis-pictures-title">
      <h4 id="analysis-pictures-title">In pictures</h4>
      <p className="help">
        {message ?? (
          <>
            {children} <HonestWords />
          </>
        )}
      </p>
      {message === null && <StudyRow name={study} />}
    </section>
  );
}
