import { describe, expect, test, vi } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import { referenceEncoder } from '../clip/reference.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import { type LayerTensorName, layerTensor, type WeightSource } from '../clip/weights.ts';
import { everything, freshEncodes, padded, passOf, tinyUpdate, waves, words } from '../engine/testing/encoderJudge.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { type CpuEncoderOptions, createCpuEncoder } from './cpuEncoder.ts';
import { CpuError, ThreadStartError } from './cpuError.ts';
import { allowRelaxedSimd, startNodeThread } from './nodeThreads.ts';
import type { SpawnThread } from './remoteShare.ts';
import { spawnHere } from './testing/threadHere.ts';

allowRelaxedSimd();

const create = (threads: number) => (source: WeightSource) => createCpuEncoder(source, { threads, spawn: spawnHere });

/** Threads that are counted, and that can be made to die. */
function mortalThreads() {
  const ends: ((reason: string) => void)[] = [];
  let [started, ended] = [0, 0];
  const spawn: SpawnThread = () => {
    started++;
    const thread = spawnHere();
    return {
      ...thread,
      listen(onMessage, onEnd) {
        ends.push(onEnd);
        thread.listen(onMessage, onEnd);
      },
      end() {
        ended++;
        thread.end();
      },
    };
  };
  return { spawn, die: (reason: string) => ends[0](reason), counts: () => [started, ended] };
}

/** Lets no memory grow. */
function withoutRoom() {
  return vi.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(() => {
    throw new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded');
  });
}

const pass = passOf(1, 'causal');
const [before, edited] = [padded(words, 'causal'), padded(words.with(8, 736), 'causal')];
const lora = {
  updates: (['qProj', 'outProj', 'fc1', 'fc2'] as const).flatMap((name) =>
    [0, 1].map((n) => tinyUpdate(n, name, 4, 1)),
  ),
  multiplier: 1,
};

describe.each([1, 3])('what goes wrong with %d threads', (threads) => {
  test('halves that panels cannot hold are kept in float32, with the parts of the weight before and after them', async () => {
    const made = syntheticWeights(clipTiny, { dtype: 'F16' });
    const large = (values: Float32Array, width: number) => {
      for (const row of [3, 60]) values[row * width + 5] = 300;
    };
    const changes: Partial<Record<LayerTensorName, (values: Float32Array) => void>> = {
      'self_attn.k_proj.weight': (values) => large(values, 64),
      'mlp.fc2.weight': (values) => large(values, 128),
      // Keeps the large keys out of the scores, which would be too large to compare.
      'self_attn.q_proj.weight': (values) => void values.fill(0, 3 * 64, 4 * 64).fill(0, 60 * 64, 61 * 64),
      'self_attn.q_proj.bias': (values) => void values.fill(0, 3, 4).fill(0, 60, 61),
    };
    const source: WeightSource = {
      ...made,
      async read(name, signal) {
        const values = toFloat32(await made.read(name, signal), 'F16');
        changes[name.replace('text_model.encoder.layers.1.', '') as LayerTensorName]?.(values);
        return fromFloat32(values, 'F16');
      },
    };
    const encoder = await create(threads)(source);
    const { outputs } = await encoder.encode([pass], everything(clipTiny));
    const { hiddenStates } = (await referenceEncoder(source))(pass);
    for (const [i, hidden] of hiddenStates.entries())
      expectClose(`hiddenStates ${i}`, outputs[0].hiddenStates.get(i)!, hidden, 1e-4, 1e-5);
    for (const part of ['q_proj', 'k_proj', 'v_proj'] as const) {
      const stored = toFloat32(await source.read(layerTensor(1, `self_attn.${part}.weight`)), 'F16');
      expect((await encoder.weightRow(1, `self_attn.${part}`, 60)).weight).toEqual(stored.slice(60 * 64, 61 * 64));
    }
    encoder.destroy();
  });

  test('memory that cannot grow is an error in words, and everything stays as it was', async () => {
    const encoder = await create(threads)(syntheticWeights(clipTiny));
    const passes = [words, [7, 8], [9]].map((ids) => padded(ids, 'causal'));
    const first = await encoder.encode([passes[0]], everything(clipTiny));
    const other = await create(threads)(syntheticWeights(clipTiny));
    const full = withoutRoom();
    // More places than are needed are not worth an error.
    await encoder.encode([passes[1]], everything(clipTiny), { alsoNeeded: passes });
    const message = (what: string) => new CpuError(`There is not enough memory to ${what} "synthetic-tiny".`);
    // More passes than there are places for are encoded a few at a time.
    const inTurn = await other.encode(passes, everything(clipTiny));
    expect(inTurn.outputs[0]).toEqual(first.outputs[0]);
    expect(inTurn.outputs).toHaveLength(3);
    other.destroy();
    await expect(encoder.inspect(passes[0], 1)).rejects.toThrow(message('show a layer of'));
    const merged = encoder.encode([passes[0]], everything(clipTiny), { loras: [lora] });
    await expect(merged).rejects.toThrow(message('merge LoRAs into'));
    full.mockRestore();
    expect(encoder.mergedBytes).toBe(0);
    const again = await encoder.encode([passes[0]], everything(clipTiny));
    expect([again.rows, again.outputs]).toEqual([0, first.outputs]);
    expect((await encoder.encode(passes, everything(clipTiny))).outputs[0]).toEqual(first.outputs[0]);
    expect((await encoder.encode([passes[0]], everything(clipTiny), { loras: [lora] })).rows).toBe(77);
    encoder.destroy();
  });

  test('a LoRA that cannot be read leaves everything as it was', async () => {
    const made = syntheticWeights(clipTiny);
    let gone = false;
    const read: WeightSource['read'] = (name, signal) =>
      gone ? Promise.reject(new Error('The file is gone.')) : made.read(name, signal);
    const encoder = await create(threads)({ ...made, read });
    const first = await encoder.encode([pass], everything(clipTiny));
    gone = true;
    const values = waves(64 * 64, 1, 0.1);
    const target = layerTensor(0, 'self_attn.v_proj.weight');
    const other = { target, scale: 1, magnitude: null, change: { kind: 'difference', values } } as const;
    const merge = encoder.encode([pass], everything(clipTiny), {
      loras: [lora, { updates: [other], multiplier: 1 }],
    });
    await expect(merge).rejects.toThrow('The file is gone.');
    const again = await encoder.encode([pass], everything(clipTiny));
    expect([again.rows, again.outputs]).toEqual([0, first.outputs]);
    encoder.destroy();
  });

  test('a signal ends an encode halfway, and the rows before it are kept', async () => {
    const encoder = await create(threads)(syntheticWeights(clipTiny));
    await encoder.encode([before], everything(clipTiny));
    const abort = new AbortController();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => abort.abort(new Error('a newer prompt'));
    port2.postMessage(null);
    const run = encoder.encode([edited], everything(clipTiny), { signal: abort.signal });
    await expect(run).rejects.toThrow('a newer prompt');
    port1.close();
    const { outputs, rows } = await encoder.encode([edited], everything(clipTiny));
    expect(rows).toBe(77 - 9);
    expect(outputs).toEqual(await freshEncodes(() => encoder).fresh([edited]));
    encoder.destroy();
  });

  test('a load without room, or one that is cancelled, leaves no thread', async () => {
    const { spawn, counts } = mortalThreads();
    const full = withoutRoom();
    const load = (options?: CpuEncoderOptions) =>
      createCpuEncoder(syntheticWeights(clipTiny), { threads, spawn, ...options });
    await expect(load()).rejects.toThrow(new CpuError('There is not enough memory for "synthetic-tiny".'));
    full.mockRestore();
    expect(counts()).toEqual([threads - 1, threads - 1]);
    const abort = new AbortController();
    const onProgress = (done: number, total: number) => done > total / 2 && abort.abort(new Error('another model'));
    await expect(load({ signal: abort.signal, onProgress })).rejects.toThrow('another model');
    expect(counts()).toEqual([2 * (threads - 1), 2 * (threads - 1)]);
  });

  test('a closed encoder says so, and has ended its threads', async () => {
    const { spawn, counts } = mortalThreads();
    const encoder = await createCpuEncoder(syntheticWeights(clipTiny), { threads, spawn });
    encoder.destroy();
    expect(counts()).toEqual([threads - 1, threads - 1]);
    await expect(encoder.encode([pass], everything(clipTiny))).rejects.toThrow(/"synthetic-tiny" was closed/);
  });
});

test('a thread that dies fails what is under way and all that comes, in words', async () => {
  const { spawn, die } = mortalThreads();
  const onLost = vi.fn();
  const encoder = await createCpuEncoder(syntheticWeights(clipTiny), { threads: 2, spawn, onLost });
  const message = 'A thread that computes "synthetic-tiny" stopped: out of memory. Open the model again to go on.';
  const run = encoder.encode([pass], everything(clipTiny), { onRows: () => die('out of memory') });
  await expect(run).rejects.toThrow(new CpuError(message));
  await expect(encoder.encode([before], everything(clipTiny))).rejects.toThrow(new CpuError(message));
  await expect(encoder.inspect(before, 0)).rejects.toThrow(new CpuError(message));
  encoder.destroy();
  expect(onLost.mock.calls).toEqual([['out of memory']]);
});

test('a thread of Node that cannot begin fails the load', async () => {
  const load = createCpuEncoder(syntheticWeights(clipTiny), {
    threads: 2,
    spawn: () => startNodeThread('./src/cpu/notThere.ts'),
  });
  await expect(load).rejects.toThrow(/^A thread that computes "synthetic-tiny" could not be started: .*notThere/s);
  await expect(load).rejects.toThrow(ThreadStartError);
});

test('no more threads are started than there are heads, and none for a model that is not worth one', async () => {
  for (const [options, started] of [
    [{ threads: 9 }, 3],
    [{ cores: 8 }, 0],
  ] as const) {
    const { spawn, counts } = mortalThreads();
    (await createCpuEncoder(syntheticWeights(clipTiny), { spawn, ...options })).destroy();
    expect(counts()).toEqual([started, started]);
  }
});

test('widths that panels cannot have are an error in words', async () => {
  const source = { ...syntheticWeights(clipTiny), config: { ...clipTiny, intermediateSize: 126 } };
  await expect(createCpuEncoder(source)).rejects.toThrow(/width of 126; .* multiples of 8/);
});
