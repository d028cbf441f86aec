import { useEffect, useState } from 'react';
import type { Lab } from '../../state/lab/labStore.ts';
import { askLatest } from '../../state/lab/latest.ts';
import type { Embedded, EmbedRequest, LabBatch, LabFrame } from '../../worker/lab/labMessages.ts';
import { useLab, useLabStore } from './useLab.ts';

/** A model's answer to a person's question, and what else it knew then. */
export interface LabAnswer<Question, Answer = Embedded> {
  readonly question: Question;
  readonly embedded: Answer;
  readonly frame: LabFrame | null;
  readonly batch: LabBatch | null;
}

/** While it trains, at most a quarter of the worker's time is spent on answers. */
const restWhilePlaying = 3;

/**
 * Asks the lab's model, anew whenever the question or the model changes, for as long as it `isNeeded`. `ask` has to be the same
 * function every time.
 */
export function useLabAnswer<Question, Answer>(
  ask: (lab: Lab, question: Question) => Promise<Answer>,
  question: Question,
  isNeeded: boolean,
) {
  const lab = useLabStore();
  const frame = useLab((s) => s.frame);
  const isReady = useLab((s) => s.phase === 'ready');
  const [answer, setAnswer] = useState<LabAnswer<Question, Answer> | null>(null);
  const [failure, setFailure] = useState('');
  const [latest] = useState(() =>
    askLatest<Question, Answer>({
      ask: (question) => ask(lab, question),
      onAnswer: (embedded, question) => {
        const { frame, batch } = lab.getState();
        setFailure('');
        setAnswer({ question, embedded, frame, batch });
      },
      onFailure: (error) => setFailure(error instanceof Error ? error.message : String(error)),
      now: () => performance.now(),
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      restShare: () => (lab.getState().isPlaying ? restWhilePlaying : 0),
    }),
  );
  useEffect(() => {
    if (isReady && isNeeded && frame) latest.want(question);
  }, [latest, question, frame, isReady, isNeeded]);
  useEffect(() => latest.forget, [latest]);
  return { answer, failure };
}

const embed = (lab: Lab, { texts, pictures }: EmbedRequest) => lab.getState().embed({ texts, pictures });

/** Has the lab's model embed texts and pictures, as `useLabAnswer` asks. */
export const useEmbedded = <Question extends EmbedRequest>(question: Question, isNeeded: boolean) =>
  useLabAnswer<Question, Embedded>(embed, question, isNeeded);
