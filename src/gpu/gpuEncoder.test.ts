import { beforeAll, describe, expect, test, vi } from 'vitest';
import { fileSource } from '../cli/fileSource.ts';
import { clipTiny, clipVitL14 } from '../clip/config.ts';
import { referenceEncoder } from '../clip/reference.ts';
import type { WeightSource } from '../clip/weights.ts';
import type { Encoder } from '../engine/encoder.ts';
import {
  everything,
  expectStages,
  freshEncodes,
  padded,
  passOf,
  tinyUpdate,
  viaSafetensors,
  words,
} from '../engine/testing/encoderJudge.ts';
import { expectFullSize, oneOfEach, testPasses, testWeights } from '../engine/testing/encoderSuite.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { smallModelPath } from '../models/smallModel.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { requestGpuDevice } from './device.ts';
import { attentionKernels, matmulKernels, plainKernels } from './dispatches.ts';
import { createGpuEncoder } from './gpuEncoder.ts';
import { nodeGpu } from './node.ts';
import { testAdapters, testDevice } from './testing/adapters.ts';

/** Lets the GPU run out of memory for the next thing made, or after `after` things that still fit. */
function withoutRoom(device: GPUDevice, after = 0) {
  const pop = device.popErrorScope.bind(device);
  const spy = vi.spyOn(device, 'popErrorScope');
  for (let i = 0; i < after; i++) spy.mockImplementationOnce(pop);
  return spy.mockImplementationOnce(async () => {
    await pop();
    return { message: 'Out of memory.' } as GPUOutOfMemoryError;
  });
}

describe.each(testAdapters)('on %s', (adapter) => {
  const create = async (source: WeightSource) => createGpuEncoder(await testDevice(adapter), source);
  describe('tiny, from a safetensors file', () => {
    testPasses(create, oneOfEach);
  });
  testWeights(create, oneOfEach);

  test('the small model that comes with the page equals the float64 encoder', async () => {
    const source = await openCheckpoint(fileSource(`public/${smallModelPath}`));
    const encoder = await create(source);
    // Most of these words have no row in its table.
    const pass = padded(words, 'causal');
    const { outputs } = await encoder.encode([pass], everything(source.config));
    expectStages('F16', source.config, outputs[0], (await referenceEncoder(source))(pass));
    encoder.destroy();
  });

  describe('tiny', () => {
    let encoder: Encoder;
    beforeAll(async () => {
      encoder = await create(await viaSafetensors(clipTiny, 'F32'));
    });
    const { fresh } = freshEncodes(() => encoder);

    test.each([
      ...matmulKernels.map((matmul) => [matmul, { ...plainKernels, matmul }] as const),
      ...attentionKernels.map((attention) => [attention, { ...plainKernels, attention }] as const),
    ])('equals the float64 encoder with %s, also of an edited prompt', async (name, choice) => {
      const device = await testDevice(adapter);
      const make = () => createGpuEncoder(device, syntheticWeights(clipTiny), { choice });
      const [other, another] = await Promise.all([make(), make()]);
      const pass = passOf(2, 'causal');
      const edited = { ...pass, inputIds: pass.inputIds.with(3, 736) };
      await other.encode([edited], everything(clipTiny));
      const { outputs, rows } = await other.encode([pass], everything(clipTiny), { onRows() {} });
      expect(rows).toBe(74);
      expectStages(name, clipTiny, outputs[0], (await referenceEncoder(syntheticWeights(clipTiny)))(pass));
      // To the bit, though few rows are done by other pipelines than many.
      expect(outputs[0]).toEqual((await another.encode([pass], everything(clipTiny))).outputs[0]);
      other.destroy();
      another.destroy();
    });

    test('what the GPU refuses is an error, and nothing of it counts as computed', async () => {
      const device = await testDevice(adapter);
      const [before, edited] = [padded(words, 'causal'), padded(words.with(8, 736), 'causal')];
      const [expected] = await fresh([edited]);
      await encoder.encode([before], everything(clipTiny));
      const create = device.createBuffer.bind(device);
      // MAP_READ goes with COPY_DST alone.
      const refused = vi
        .spyOn(device, 'createBuffer')
        .mockImplementation((of) => create(of.label === 'results' ? { ...of, usage: 0x81 } : of));
      await expect(encoder.encode([edited], everything(clipTiny))).rejects.toThrow('The GPU refused to encode');
      refused.mockRestore();
      const { rows, outputs } = await encoder.encode([edited], everything(clipTiny));
      expect([rows, outputs[0]]).toEqual([77 - 9, expected]);
    });

    test('without memory for more passes they are encoded a few at a time', async () => {
      const device = await testDevice(adapter);
      const other = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const passes = [words, [7, 8], [9]].map((ids) => padded(ids, 'causal'));
      const [expected] = await fresh([passes[0]]);
      await other.encode([passes[0]], everything(clipTiny));
      // More than is to be encoded is not worth an error.
      const full = withoutRoom(device);
      const { rows: all } = await other.encode([passes[1]], everything(clipTiny), { alsoNeeded: passes });
      expect(all).toBe(77);
      full.mockRestore();
      // Nor is it tried again, until there is less on the GPU.
      const create = vi.spyOn(device, 'createBuffer');
      await other.encode([passes[1]], everything(clipTiny), { alsoNeeded: passes });
      expect(create.mock.calls.map(([{ label }]) => label)).toEqual(['results']);
      create.mockRestore();
      const third = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const fuller = withoutRoom(device);
      const { outputs: inTurn } = await third.encode(passes, everything(clipTiny));
      expect(fuller).toHaveBeenCalled();
      fuller.mockRestore();
      expect(inTurn).toEqual(await fresh(passes));
      third.destroy();
      const { rows, outputs } = await other.encode([passes[0]], everything(clipTiny));
      expect([rows, outputs[0]]).toEqual([0, expected]);
      const small = other.activationBytes;
      const lora = { updates: [tinyUpdate(0, 'fc1', 4, 1)], multiplier: 1 };
      await other.encode([passes[0]], everything(clipTiny), { alsoNeeded: passes, loras: [lora] });
      expect(other.activationBytes / small).toBeCloseTo(1.5, 2);
      other.destroy();
    });

    test('what did not compile once is compiled when it is needed again', async () => {
      const { device } = await requestGpuDevice(nodeGpu(adapter));
      const other = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const pass = padded(words, 'causal');
      await other.encode([pass], everything(clipTiny));
      const failing = vi.spyOn(device, 'createComputePipelineAsync').mockRejectedValueOnce(new Error('Busy.'));
      const edit = () => other.encode([padded(words.with(8, 736), 'causal')], everything(clipTiny), { onRows() {} });
      await expect(edit()).rejects.toThrow('cannot compile the kernel “');
      failing.mockRestore();
      expect((await edit()).rows).toBe(77 - 9);
      device.destroy();
    });

    test('what is compiled ahead is all that any number of rows needs, and waits for encodes', async () => {
      // On a device of its own nothing is compiled yet.
      const { device } = await requestGpuDevice(nodeGpu(adapter));
      const other = await createGpuEncoder(device, syntheticWeights(clipTiny));
      const create = device.createComputePipelineAsync.bind(device);
      const order: string[] = [];
      const spy = vi.spyOn(device, 'createComputePipelineAsync').mockImplementation((of) => {
        order.push('pipeline');
        return create(of);
      });
      const encoded = other.encode([padded(words, 'none')], everything(clipTiny)).then(() => order.push('encoded'));
      await Promise.all([other.compile(), encoded]);
      expect(order[0]).toBe('encoded');
      expect(order.length).toBeGreaterThan(10);
      order.length = 0;
      for (let n = 1; n < 76; n += 3)
        await other.encode([padded(Array(n).fill(9), 'causal')], everything(clipTiny), { onRows() {} });
      expect(order).toEqual([]);
      // And all that another encoder needs.
      (await createGpuEncoder(device, syntheticWeights(clipTiny))).destroy();
      expect(order).toEqual([]);
      const abort = new AbortController();
      abort.abort(new Error('another model'));
      await expect(other.compile(abort.signal)).rejects.toThrow('another model');
      spy.mockRestore();
      device.destroy();
    });
  });

  test.each([0, 1])('LoRAs that the GPU has no room for leave everything as it was (%i)', async (after) => {
    const device = await testDevice(adapter);
    const encoder = await createGpuEncoder(device, syntheticWeights(clipTiny));
    const pass = passOf(1, 'causal');
    const before = await encoder.encode([pass], everything(clipTiny));
    const full = withoutRoom(device, after);
    const lora = { updates: [tinyUpdate(0, 'fc1', 4, 1)], multiplier: 1 };
    const merge = () => encoder.encode([pass], everything(clipTiny), { loras: [lora] });
    await expect(merge()).rejects.toThrow('not enough memory');
    full.mockRestore();
    expect(encoder.mergedBytes).toBe(0);
    const again = await encoder.encode([pass], everything(clipTiny));
    expect([again.rows, again.outputs]).toEqual([0, before.outputs]);
    expect((await merge()).outputs).not.toEqual(before.outputs);
    encoder.destroy();
  });

  /** A load that fails has destroyed all buffers, but for those of twelve bytes that go with their bind groups. */
  async function watched(load: (device: GPUDevice) => Promise<unknown>, error: string) {
    const device = await testDevice(adapter);
    const destroyed: boolean[] = [];
    const create = device.createBuffer.bind(device);
    const spy = vi.spyOn(device, 'createBuffer').mockImplementation((of) => {
      const buffer = create(of);
      if (of.label === 'range') return buffer;
      const at = destroyed.push(false) - 1;
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        destroyed[at] = true;
        return destroy();
      };
      return buffer;
    });
    try {
      await expect(load(device)).rejects.toThrow(error);
    } finally {
      spy.mockRestore();
    }
    expect(destroyed.length).toBeGreaterThan(0);
    expect(destroyed).not.toContain(false);
  }

  test('a load that is cancelled rejects with the signal and frees what it had', async () => {
    const abort = new AbortController();
    const onProgress = (done: number, total: number) => done > total / 2 && abort.abort();
    await watched(
      (device) => createGpuEncoder(device, syntheticWeights(clipTiny), { signal: abort.signal, onProgress }),
      'abort',
    );
  });

  test('a load that the GPU has no room for rejects and frees what it had', async () => {
    const device = await testDevice(adapter);
    const full = withoutRoom(device);
    await watched(
      (device) => createGpuEncoder(device, syntheticWeights(clipTiny)),
      'not enough memory for "synthetic-tiny"',
    );
    full.mockRestore();
  });
});

test.each(testAdapters)(
  'full size on %s, from a safetensors file, equals every array recorded under the causal mask',
  async (adapter) => {
    const encoder = await createGpuEncoder(await testDevice(adapter), await viaSafetensors(clipVitL14, 'F32'));
    await expectFullSize(encoder, ['causal']);
    encoder.destroy();
  },
);
