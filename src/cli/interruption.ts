import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ends the process with a sentence where it is interrupted, after what listens to its exit has cleaned up. It then dies by
 * the signal itself, which a shell tells as 130 for Ctrl-C: an ordinary exit would take the GPU's library down while its
 * threads still work, and crash. Returns a function that ends the watch.
 */
export function endWhenInterrupted(sentence: () => string): () => void {
  const end = (signal: (typeof signals)[number]) => {
    console.error(sentence());
    stop();
    process.emit('exit', 128 + constants.signals[signal]);
    process.kill(process.pid, signal);
  };
  const stop = () => {
    for (const signal of signals) process.off(signal, end);
  };
  for (const signal of signals) process.once(signal, end);
  return stop;
}

/**
 * Asks a long task to end where the process is interrupted, so that it can keep what it has: `asked` turns true, and the sentence is
 * printed. A second interruption ends the process. `end` ends the watch.
 */
export function askedToStop(sentence: string): { readonly asked: boolean; end(): void } {
  const state = { asked: false, end: () => {} };
  const ask = () => {
    console.error(sentence);
    stop();
    state.asked = true;
    state.end = endWhenInterrupted(() => 'Stopped.');
  };
  const stop = () => {
    for (const signal of signals) process.off(signal, ask);
  };
  for (const signal of signals) process.once(signal, ask);
  state.end = stop;
  return {
    get asked() {
      return state.asked;
    },
    end: () => state.end(),
  };
}
