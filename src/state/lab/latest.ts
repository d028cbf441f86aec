/** Everything that `askLatest` needs of the world. Times are in milliseconds. */
interface Surroundings<Question, Answer> {
  ask(question: Question): Promise<Answer>;
  onAnswer(answer: Answer, question: Question): void;
  onFailure(error: unknown): void;
  now(): number;
  wait(milliseconds: number): Promise<void>;
  /** Rest after an answer, as a multiple of the time that it took. */
  restShare(): number;
}

/**
 * Answers the newest of many questions: one is asked at a time, and those that were overtaken while it was are never asked. Returns
 * what takes a question, and what forgets the one that waits.
 */
export function askLatest<Question, Answer>(surroundings: Surroundings<Question, Answer>) {
  const { ask, onAnswer, onFailure, now, wait, restShare } = surroundings;
  let waiting: { readonly question: Question } | null = null;
  let isBusy = false;

  async function work(): Promise<void> {
    isBusy = true;
    while (waiting) {
      const { question } = waiting;
      waiting = null;
      const from = now();
      try {
        onAnswer(await ask(question), question);
      } catch (error) {
        onFailure(error);
      }
      await wait(restShare() * (now() - from));
    }
    isBusy = false;
  }

  return {
    want(question: Question): void {
      waiting = { question };
      if (!isBusy) void work();
    },
    forget(): void {
      waiting = null;
    },
  };
}
