import { expect, test, vi } from 'vitest';
import { type ClipTextConfig, clipTiny } from '../clip/config.ts';
import { CpuError, ThreadStartError } from '../cpu/cpuError.ts';
import { CpuUnavailableError } from '../cpu/kernels.ts';
import type { SpawnThread, Thread } from '../cpu/remoteShare.ts';
import { spawnHere } from '../cpu/testing/threadHere.ts';
import type { Encoder } from '../engine/encoder.ts';
import { everything, passOf } from '../engine/testing/encoderJudge.ts';
import { type GpuDevice, WebGpuUnavailableError } from '../gpu/device.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { chooseEncoder, cpuEngine, type Engines } from './engines.ts';

/** The smallest model that is worth two threads. */
const config: ClipTextConfig = {
  ...clipTiny,
  hiddenSize: 512,
  intermediateSize: 2048,
  numAttentionHeads: 8,
  headDim: 64,
  numHiddenLayers: 3,
};
const source = syntheticWeights(config, { name: 'small' });
const pass = passOf(1, 'causal');

/** Threads that end before they answer, as a worker does whose script is missing. */
const unstarted: SpawnThread = () => ({
  ...spawnHere(),
  listen: (_, onEnd) => void queueMicrotask(() => onEnd('the browser gave no reason')),
});
const forbidden: SpawnThread = () => {
  throw new ReferenceError('Worker is not defined');
};

const noGpu: Pick<Engines, 'findGpu' | 'onGpu'> = {
  findGpu: () => Promise.reject(new WebGpuUnavailableError('This browser has no WebGPU', 'use one that has it')),
  onGpu: () => Promise.reject(new Error('There is none.')),
};

test.each([
  ['end before they answer', unstarted],
  ['cannot be made', forbidden],
])('where threads %s, the encoder runs with one, and says why', async (_, spawn) => {
  const engines = { ...noGpu, onCpu: cpuEngine(spawn, 2) };
  const choices = [
    ['cpu', 'Further threads could not be started here, so the encoder runs on the CPU with 1 thread.'],
    [
      'automatic',
      'This browser has no WebGPU, and further threads could not be started here, so the encoder runs on the CPU with 1 thread.',
    ],
  ] as const;
  for (const [engine, why] of choices) {
    const chosen = await chooseEncoder(source, { engine, threads: null }, engines, {});
    expect(chosen.engine).toMatchObject({ engine: 'cpu', description: expect.stringContaining('CPU, 1 thread,'), why });
    expect((await chosen.encoder.encode([pass], everything(config))).rows).toBe(77);
    chosen.encoder.destroy();
  }
});

test('threads that start are kept, and nothing is said', async () => {
  const engines = { ...noGpu, onCpu: cpuEngine(spawnHere, 2) };
  const { encoder, engine } = await chooseEncoder(source, { engine: 'cpu', threads: null }, engines, {});
  expect(engine).toMatchObject({ description: expect.stringContaining('CPU, 2 threads,'), threads: 2, why: null });
  encoder.destroy();
});

test('a thread that stops in the middle of a load fails it: there is no second try', async () => {
  const threads: ((reason: string) => void)[] = [];
  const spawn: SpawnThread = () => {
    const thread: Thread = spawnHere();
    return {
      ...thread,
      listen(onMessage, onEnd) {
        threads.push(onEnd);
        thread.listen(onMessage, onEnd);
      },
    };
  };
  const load = cpuEngine(spawn, 2)(source, { onProgress: () => threads[0]('out of memory') });
  const error: unknown = await load.catch((error) => error);
  expect(error).toEqual(
    new CpuError('A thread that computes "small" stopped: out of memory. Open the model again to go on.'),
  );
  expect(error).not.toBeInstanceOf(ThreadStartError);
  expect(threads).toHaveLength(1);
});

test('without WebAssembly automatic takes a software adapter and says why; a choice of the CPU is told', async () => {
  const gpu = { description: 'SwiftShader', software: true } as GpuDevice;
  const encoder = {} as Encoder;
  const onGpu = vi.fn(async () => encoder);
  const missing = new CpuUnavailableError('There is no WebAssembly here', ', which is needed.');
  const engines: Engines = { findGpu: async () => gpu, onGpu, onCpu: () => Promise.reject(missing) };
  expect(await chooseEncoder(source, { engine: 'automatic', threads: null }, engines, {})).toEqual({
    encoder,
    gpu,
    engine: {
      engine: 'webgpu',
      description: 'SwiftShader',
      threads: null,
      software: true,
      why: 'There is no WebAssembly here, so the encoder runs on SwiftShader, a processor in the place of a GPU.',
    },
  });
  await expect(chooseEncoder(source, { engine: 'cpu', threads: null }, engines, {})).rejects.toBe(missing);
  const neither = chooseEncoder(source, { engine: 'automatic', threads: null }, { ...engines, ...noGpu }, {});
  await expect(neither).rejects.toBe(missing);
  const full = { ...engines, onCpu: () => Promise.reject(new CpuError('There is not enough memory for "small".')) };
  await expect(chooseEncoder(source, { engine: 'automatic', threads: null }, full, {})).rejects.toThrow(CpuError);
  expect(onGpu).toHaveBeenCalledTimes(1);
});
