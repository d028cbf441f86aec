/** An implementation that is a command: it reads requests from standard input and writes answers, a line of JSON each. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ConformanceAnswer, ConformanceRequest } from './cases.ts';

const isWindows = process.platform === 'win32';

export interface CommandRun {
  answer(request: ConformanceRequest): Promise<ConformanceAnswer>;
  /** Says that all requests were made: the command's input ends. */
  end(): void;
  /** The first line of output that was no answer; null if there was none. */
  strayLine(): string | null;
}

/** Starts a command by the system's shell. After `silence` milliseconds without a line it is ended, as it is after an error. */
export function startCommand(command: string, silence: number): CommandRun {
  // Programs that the shell starts are in a group with it, so that they can be ended together.
  const child = spawn(command, { shell: true, detached: !isWindows, stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<string, (answer: ConformanceAnswer) => void>();
  let over: string | undefined;
  let stray: string | null = null;
  const stop = (why: string) => {
    over ??= why;
    clearTimeout(timer);
    for (const resolve of waiting.values()) resolve({ error: over });
    waiting.clear();
  };
  const hush = () => {
    stop(`The command gave no answer for ${silence / 1000} seconds.`);
    if (isWindows || child.pid === undefined) child.kill();
    else
      try {
        process.kill(-child.pid);
      } catch {
        // The whole group has just ended by itself.
      }
  };
  let timer = setTimeout(hush, silence);
  child.on('error', ({ message }) => stop(`The command could not be run: ${message}.`));
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (over) return;
    clearTimeout(timer);
    timer = setTimeout(hush, silence);
    const found = answerOf(line);
    const resolve = found && waiting.get(found.id);
    if (!found || !resolve) {
      stray ??= line;
      return;
    }
    waiting.delete(found.id);
    resolve(found.answer);
  });
  child.on('close', (code) =>
    setImmediate(() => stop(`The command ended${code ? ` with exit code ${code}` : ''} before it answered this.`)),
  );
  return {
    answer(request) {
      if (over) return Promise.resolve({ error: over });
      return new Promise((resolve) => {
        waiting.set(request.id, resolve);
        child.stdin.write(`${JSON.stringify(request)}\n`);
      });
    },
    end: () => child.stdin.end(),
    strayLine: () => stray,
  };
}

/** Reads a line of output; null if it is no answer. */
function answerOf(line: string): { readonly id: string; readonly answer: ConformanceAnswer } | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { id, result, skip, error } = parsed as Record<string, unknown>;
  if (typeof id !== 'string') return null;
  if (skip !== undefined) return { id, answer: { skip: String(skip) } };
  if (error !== undefined) return { id, answer: { error: String(error) } };
  return {
    id,
    answer: result === undefined ? { error: 'The answer has neither result, skip nor error.' } : { result },
  };
}
