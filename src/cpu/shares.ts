import type { ClipTextConfig } from '../clip/config.ts';
import type { WeightSpec } from '../engine/weightReading.ts';
import { CpuError } from './cpuError.ts';
import { divideWork, type Share } from './division.ts';
import type { CompiledKernels } from './kernels.ts';
import { closed, connectShare, notStarted, type RemoteShare, type SpawnThread, type Thread } from './remoteShare.ts';
import { createShare, type ShareCalls } from './shareCalls.ts';

type Argument<Name extends keyof ShareCalls> = Parameters<ShareCalls[Name]>[0];
type Result<Name extends keyof ShareCalls> = ReturnType<ShareCalls[Name]>;

/** Says that the weights found no room. */
export const noRoomFor = (model: string) => new CpuError(`There is not enough memory for "${model}".`);

/** The shares of an encoder: share 0 in this thread, each of the others in one of its own. */
export interface Shares {
  readonly all: readonly Share[];
  /** Throws CpuError after the end. */
  readonly first: ShareCalls;
  readonly others: readonly RemoteShare[];
  /** Makes a call to every share, the others first; results are in the order of the shares. Rejects with CpuError. */
  call<Name extends keyof ShareCalls>(
    name: Name,
    argumentOf: (share: Share) => Argument<Name>,
  ): Promise<Result<Name>[]>;
  /** Makes a call that may find no room in every share, and calls `undo` in all of them where one has none. */
  tryCall<Name extends 'setSlots' | 'beginInspection'>(
    name: Name,
    argument: Argument<Name>,
    undo: () => Promise<unknown>,
  ): Promise<boolean>;
  /** Ends the threads, and lets go of the memories. */
  end(): void;
}

function joinShares(all: readonly Share[], own: ShareCalls, others: readonly RemoteShare[], model: string): Shares {
  let first: ShareCalls | undefined = own;
  const shares: Shares = {
    all,
    get first() {
      if (!first) throw closed(model);
      return first;
    },
    others,
    async call(name, argumentOf) {
      const asked = others.map((other, i) => other.call(name, argumentOf(all[i + 1])));
      const own = (shares.first[name] as (argument: unknown) => unknown)(argumentOf(all[0]));
      return [own as Result<typeof name>, ...(await Promise.all(asked))];
    },
    async tryCall(name, argument, undo) {
      const done = (await shares.call(name, () => argument as never)).every(Boolean);
      if (!done) await undo();
      return done;
    },
    end() {
      first = undefined;
      for (const other of others) other.end();
    },
  };
  return shares;
}

export interface ShareOptions {
  /** The model's name, for error messages. */
  readonly name: string;
  readonly compiled: CompiledKernels;
  readonly threads: number;
  readonly spawn?: SpawnThread;
  /** Hears why one of the threads ended or failed, unless it was `end` that ended it. */
  readonly onLost?: (reason: string) => void;
}

/** Starts a thread, also where workers are missing or forbidden. Throws ThreadStartError. */
function startThread(spawn: SpawnThread, model: string): Thread {
  try {
    return spawn();
  } catch (error) {
    throw notStarted(model, (error as Error).message.replace(/\.$/, ''));
  }
}

/**
 * Starts the threads, and makes room for the weights. Rejects with CpuError where there is none, and with ThreadStartError where
 * a thread cannot start; no thread is left then.
 */
export async function startShares(
  config: ClipTextConfig,
  specs: ReadonlyMap<string, WeightSpec>,
  { name, compiled, threads, spawn, onLost }: ShareOptions,
): Promise<Shares> {
  const all = divideWork(config, threads);
  const others: RemoteShare[] = [];
  try {
    while (others.length < threads - 1) others.push(connectShare(startThread(spawn!, name), name, onLost));
    const asked = others.map((other, i) => other.create({ config, share: all[i + 1], specs, compiled }));
    const first = await createShare({ config, share: all[0], specs, compiled });
    if (!(await Promise.all(asked)).every(Boolean) || !first) throw noRoomFor(name);
    return joinShares(all, first, others, name);
  } catch (error) {
    for (const other of others) other.end();
    throw error;
  }
}
