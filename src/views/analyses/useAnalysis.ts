import { useEffect, useMemo, useState } from 'react';
import { type Analysis, passMilliseconds } from '../../state/analysing.ts';
import type { AnalysisTask } from '../../state/facts.ts';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';

/** Milliseconds without a change after which an analysis starts by itself, and the most that it may then take. */
const rest = 400;
const mostByItself = 3_000;

/** An analysis that a part of the page shows, with its last result and what is to be said of it. */
export interface ShownAnalysis<A, R> {
  readonly of: A;
  /** The last result that there is, with what it is of. */
  readonly found: { readonly of: A; readonly result: R } | undefined;
  /** Whether what is found is of something else than what is on show. */
  readonly isStale: boolean;
  readonly task: AnalysisTask | undefined;
  readonly passes: number;
  /** Answers of the encoder after which it is done. */
  readonly steps: number;
  /** About how many seconds it takes; undefined where that is not known. */
  readonly seconds: number | undefined;
  /** Starts it, also once more where it failed; null while it is running or done. */
  readonly start: (() => void) | null;
}

/**
 * Runs an analysis of something while it is on show: by itself once typing rests where it is quick, else when it is started.
 * It ends when what it is of changes, or is no longer on show. `analysisOf` has to be the same function as long as its result is.
 */
export function useAnalysis<A, R>(
  of: A | undefined,
  analysisOf: (of: A) => Analysis<R>,
): ShownAnalysis<A | undefined, R> {
  const analysis = useMemo(() => (of === undefined ? undefined : analysisOf(of)), [of, analysisOf]);
  const key = analysis?.key;
  const task = useFacts((s) => (key === undefined ? undefined : s.analysed.get(key)));
  const analyse = useFacts((s) => s.analyse);
  const milliseconds = useFacts(passMilliseconds);
  /** The analysis that was asked for last, and how often anything was: each time it starts anew. */
  const [{ asked, times }, setAsked] = useState<{ asked: string | null; times: number }>({ asked: null, times: 0 });
  const expected = milliseconds === undefined || !analysis ? undefined : milliseconds * analysis.passes;
  const isByItself = expected === undefined || expected <= mostByItself;
  const isDone = task?.phase === 'done';
  const [starting, setStarting] = useState(analysis);
  if (starting?.key !== key) setStarting(analysis);
  useEffect(() => {
    if (!starting || isDone) return;
    let stop = () => {};
    const begin = () => {
      stop = analyse(starting);
    };
    if (asked !== starting.key && !isByItself) return;
    const timer = setTimeout(begin, asked === starting.key ? 0 : rest);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [starting, asked, times, isByItself, isDone, analyse]);
  const [arrived, setArrived] = useState<{ key: string; of: A; result: R }>();
  if (isDone && of !== undefined && key !== undefined && (arrived?.key !== key || arrived.of !== of))
    setArrived({ key, of, result: task.result as R });
  const found = useLast(arrived);
  const isWaiting = task ? task.phase === 'failed' : !isByItself && asked !== key;
  return {
    of,
    found,
    isStale: found?.key !== key,
    task,
    passes: analysis?.passes ?? 0,
    steps: analysis?.steps ?? analysis?.passes ?? 0,
    seconds: expected === undefined ? undefined : expected / 1000,
    start: key !== undefined && isWaiting ? () => setAsked({ asked: key, times: times + 1 }) : null,
  };
}
