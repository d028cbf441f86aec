import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ends the process with a sentence, and with the exit code of a shell (130 for Ctrl-C), where it is interrupted. What
 * listens to the process's exit cleans up before. Returns a function that ends the watch.
 */
export function endWhenInterrupted(sentence: () => string): () => void {
  const end = (signal: (typeof signals)[number]) => {
    console.error(sentence());
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of signals) process.once(signal, end);
  return () => {
    for (const signal of signals) process.off(signal, end);
  };
}
