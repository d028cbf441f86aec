import { afterEach, expect, test, vi } from 'vitest';
import { CpuError, ThreadStartError } from './cpuError.ts';
import { connectShare } from './remoteShare.ts';
import { spawnWorker } from './workerThreads.ts';

afterEach(() => void vi.unstubAllGlobals());

/** Workers that a test answers for, and locks that it gives away. */
function fakeWorkers() {
  const workers: FakeWorker[] = [];
  class FakeWorker {
    onmessage?: (event: { data: unknown }) => void;
    onerror?: (event: { message: string; preventDefault(): void }) => void;
    readonly postMessage = vi.fn();
    readonly terminate = vi.fn();
    readonly name: string;
    constructor(_: URL, { name }: { name: string }) {
      this.name = name;
      workers.push(this);
    }
  }
  const waiting = new Map<string, () => void>();
  const request = (name: string, granted: () => void) => void waiting.set(name, granted);
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('navigator', { locks: { request } });
  return { workers, waiting };
}

const share = () => connectShare(spawnWorker(), 'a model');
const ask = (of: ReturnType<typeof share>) => of.call('setSlots', 2);

test('a worker that ends without a word is missed by its lock, once it holds that', async () => {
  const { workers, waiting } = fakeWorkers();
  const of = share();
  const [first, second] = [ask(of), ask(of)];
  const [worker] = workers;
  worker.onmessage!({ data: { id: 1, result: true } });
  expect(await first).toBe(true);
  expect(waiting.size).toBe(0);
  worker.onmessage!({ data: 'alive' });
  waiting.get(worker.name)!();
  await expect(second).rejects.toThrow(
    new CpuError(
      'A thread that computes "a model" stopped: the browser ended it, perhaps for want of memory. Open the model again to go on.',
    ),
  );
  expect(worker.terminate).toHaveBeenCalled();
});

test('a worker that ends or throws before it answers has not started, and fails every call', async () => {
  const { workers } = fakeWorkers();
  for (const [i, [message, reason]] of [
    ['', 'the browser gave no reason'],
    ['Uncaught RangeError: no', 'Uncaught RangeError: no'],
  ].entries()) {
    const of = share();
    const call = ask(of);
    const preventDefault = vi.fn();
    workers[i].onerror!({ message, preventDefault });
    // Unprevented, it would end the worker that started this one.
    expect(preventDefault).toHaveBeenCalled();
    await expect(call).rejects.toThrow(`could not be started: ${reason}.`);
    await expect(ask(of)).rejects.toThrow(ThreadStartError);
  }
});
