import { type ReactNode, useRef } from 'react';
import type { LabelledTable } from '../../files/csv.ts';
import { Announcement } from '../page/Announcement.tsx';
import { rough } from '../page/numbers.ts';
import { Waiting } from '../page/Waiting.tsx';
import styles from './analyses.module.css';
import { SaveNumbers } from './SaveNumbers.tsx';
import type { ShownAnalysis } from './useAnalysis.ts';

interface AnalysisFrameProps<A, R> {
  readonly title: string;
  /** A sentence or two: what is computed, so that the sentence of the result can be understood. */
  readonly question: ReactNode;
  readonly analysis: ShownAnalysis<A, R>;
  /** The one sentence that says what was found. */
  finding(found: { readonly of: NonNullable<A>; readonly result: R }): string;
  /** The numbers as tables to be saved; missing where `children` offers them itself. */
  tables?(found: { readonly of: NonNullable<A>; readonly result: R }): readonly LabelledTable[];
  /** Says what the numbers do not tell. */
  readonly limits: ReactNode;
  readonly controls?: ReactNode;
  /** `isStale` says that what is found is of a prompt that is no longer on show: places in it are not those of the new one. */
  children(found: { readonly of: NonNullable<A>; readonly result: R; readonly isStale: boolean }): ReactNode;
}

/** Lays an analysis out: the finding first, then the numbers and the picture, then the limits. */
export function AnalysisFrame<A, R>(props: AnalysisFrameProps<A, R>) {
  const { title, question, analysis, finding, tables, limits, controls, children } = props;
  const { found, isStale, of, task } = analysis;
  const ready = found?.of ? (found as { readonly of: NonNullable<A>; readonly result: R }) : null;
  const sentence = ready ? finding(ready) : '';
  const frame = useRef<HTMLElement>(null);
  const press = (then: (() => void) | null) => () => {
    // The button that was pressed goes; the keyboard goes on from here.
    frame.current?.focus({ preventScroll: true });
    then?.();
  };
  return (
    <section ref={frame} className={styles.analysis} aria-labelledby="analysis-title" tabIndex={-1}>
      <h3 id="analysis-title">{title}</h3>
      <p className="help">{question}</p>
      {controls}
      {of === undefined ? <Waiting /> : <Progress analysis={analysis} press={press} />}
      {ready && (
        <div className={styles.found} aria-busy={task?.phase === 'running'} data-stale={isStale || undefined}>
          <p className={styles.finding}>{sentence}</p>
          {children({ ...ready, isStale })}
          {tables && <SaveNumbers title={title} tables={() => tables(ready)} />}
        </div>
      )}
      <p className={`help ${styles.limits}`}>
        <b>Limits.</b> {limits}
      </p>
      <Announcement label="Finding" text={isStale ? '' : sentence} />
    </section>
  );
}

interface ProgressProps<A, R> {
  readonly analysis: ShownAnalysis<A, R>;
  press(then: (() => void) | null): () => void;
}

/** Says how far an analysis is and offers to stop it, or offers to start it. */
function Progress<A, R>({ analysis, press }: ProgressProps<A, R>) {
  const { task, passes, steps, seconds } = analysis;
  if (task?.phase === 'failed')
    return (
      <div className="notice" data-severity="error" role="alert">
        <p>This could not be computed: {task.message}</p>
        <button type="button" onClick={press(analysis.start)}>
          Try again
        </button>
      </div>
    );
  if (task?.phase === 'running')
    return (
      <p className="muted">
        {steps > 0 && (
          <progress aria-label="Answers of the encoder" max={Math.max(steps, task.done)} value={task.done} />
        )}{' '}
        computing{' '}
        <button type="button" className="small" onClick={press(analysis.stop)}>
          Stop
        </button>
      </p>
    );
  if (!analysis.start) return null;
  return (
    <p>
      <button type="button" className="primary" onClick={press(analysis.start)}>
        Compute it
      </button>{' '}
      <span className="muted">
        It takes about {passes} runs of the encoder{seconds !== undefined && `, ${rough(seconds)} s`}.
      </span>
    </p>
  );
}
