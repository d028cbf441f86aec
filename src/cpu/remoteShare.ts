import { CpuError, ThreadStartError } from './cpuError.ts';
import type { ShareCalls, ShareSetup } from './shareCalls.ts';

/** A thread that runs shareWorker.ts, or the like of it. */
export interface Thread {
  post(message: ToShare, transfer: readonly ArrayBuffer[]): void;
  /** Called once. `onEnd` hears why the thread ended or could not begin, unless it was `end` that ended it. */
  listen(onMessage: (message: FromShare) => void, onEnd: (reason: string) => void): void;
  end(): void;
  /** Waits some milliseconds for a message, and gives it to `onMessage`; false where none came. Missing where that is not possible. */
  hearNext?(): boolean;
}

/** Starts a thread. */
export type SpawnThread = () => Thread;

type Argument<Name extends keyof ShareCalls> = Parameters<ShareCalls[Name]>[0];
type Result<Name extends keyof ShareCalls> = ReturnType<ShareCalls[Name]>;

/** A call, whose answer has the same number. */
export type ToShare = { readonly id: number } & (
  | { readonly call: 'create'; readonly argument: ShareSetup }
  | { readonly call: keyof ShareCalls; readonly argument: unknown }
);

export type FromShare = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

/**
 * A share that another thread computes. Its calls reject with CpuError once the thread has ended or has failed, which is a
 * ThreadStartError where it never answered.
 */
export interface RemoteShare {
  /** False where there is no room. */
  create(setup: ShareSetup): Promise<boolean>;
  call<Name extends keyof ShareCalls>(
    name: Name,
    argument: Argument<Name>,
    transfer?: readonly ArrayBuffer[],
  ): Promise<Result<Name>>;
  /** Hears the answers that are due soon, where threads can be waited for: an event takes longer. */
  hearAtOnce(): void;
  end(): void;
}

/** Says that `end` was called. */
export const closed = (model: string) => new CpuError(`The encoder of "${model}" was closed.`);

/** Says that a thread did not start; `reason` has no full stop at its end. */
export const notStarted = (model: string, reason: string) =>
  new ThreadStartError(`A thread that computes "${model}" could not be started: ${reason}.`);

/** `model` names the model in error messages; `onLost` hears why the thread ended or failed, unless it was `end` that ended it. */
export function connectShare(thread: Thread, model: string, onLost: (reason: string) => void = () => {}): RemoteShare {
  const open = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  let hasAnswered = false;
  let failure: CpuError | undefined;
  const fail = (reason: string) => {
    if (failure) return;
    failure = hasAnswered
      ? new CpuError(`A thread that computes "${model}" stopped: ${reason}. Open the model again to go on.`)
      : notStarted(model, reason);
    for (const { reject } of open.values()) reject(failure);
    open.clear();
    thread.end();
    onLost(reason);
  };
  thread.listen((message) => {
    hasAnswered = true;
    if ('error' in message) return fail(message.error.replace(/\.$/, ''));
    open.get(message.id)?.resolve(message.result);
    open.delete(message.id);
  }, fail);
  const ask = (call: ToShare['call'], argument: unknown, transfer: readonly ArrayBuffer[] = []): Promise<unknown> => {
    const answer = new Promise((resolve, reject) => {
      if (failure) return reject(failure);
      open.set(++calls, { resolve, reject });
      thread.post({ id: calls, call, argument } as ToShare, transfer);
    });
    // Avoids an unhandled rejection where the answer is awaited later, or an error of the same cause comes first.
    answer.catch(() => {});
    return answer;
  };
  return {
    create: (setup) => ask('create', setup) as Promise<boolean>,
    call: (name, argument, transfer) => ask(name, argument, transfer) as never,
    hearAtOnce() {
      while (open.size > 0 && thread.hearNext?.());
    },
    end() {
      failure ??= closed(model);
      for (const { reject } of open.values()) reject(failure);
      open.clear();
      thread.end();
    },
  };
}
