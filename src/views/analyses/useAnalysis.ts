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
  /** Ends it, and has it wait for `start`; null while it is not running. */
  readonly stop: (() => void) | null;
}

/** The analysis that a person last started or stopped. Each wish is an object of its own, so that the same one counts again. */
interface Wish {
  readonly key: string;
  readonly isStopped: boolean;
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
  const [wish, setWish] = useState<Wish | null>(null);
  const isWished = wish !== null && wish.key === key;
  const expected = milliseconds === undefined || !analysis ? undefined : milliseconds * analysis.passes;
  const isByItself = expected === undefined || expected <= mostByItself;
  const isToRun = isWished ? !wish.isStopped : isByItself;
  const isDone = task?.phase === 'done';
  const [starting, setStarting] = useState(analysis);
  if (starting?.key !== key) setStarting(analysis);
  useEffect(() => {
    if (!starting || isDone || !isToRun) return;
    let stop = () => {};
    const begin = () => {
      stop = analyse(starting);
    };
    const timer = setTimeout(begin, wish?.key === starting.key ? 0 : rest);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [starting, wish, isToRun, isDone, analyse]);
  const [arrived, setArrived] = useState<{ key: string; of: A; result: R }>();
  if (isDone && of !== undefined && key !== undefined && (arrived?.key !== key || arrived.of !== of))
    setArrived({ key, of, result: task.result as R });
  const found = useLast(arrived);
  const isWaiting = task ? task.phase === 'failed' : !isToRun;
  // The effect that started an analysis ends it when there is another wish.
  const wishing = (isStopped: boolean) => (key === undefined ? null : () => setWish({ key, isStopped }));
  return {
    of,
    found,
    isStale: found?.key !== key,
    task,
    passes: analysis?.passes ?? 0,
    steps: analysis?.steps ?? analysis?.passes ?? 0,
    seconds: expected === undefined ? undefined : expected / 1000,
    start: isWaiting ? wishing(false) : null,
    stop: task?.phase === 'running' ? wishing(true) : null,
  };
}
