import { expect, test } from 'vitest';
import { clipTiny } from '../clip/config.ts';
import type { LayerTensors } from '../clip/layerTensors.ts';
import { encoderPass } from '../clip/masks.ts';
import { anatomyActions } from './anatomy.ts';
import type { Facts, Inspection } from './facts.ts';
import type { Page } from './page.ts';

interface Asked {
  readonly layer: number;
  readonly signal: AbortSignal;
  resolve(tensors: LayerTensors): void;
  reject(error: Error): void;
}

function start() {
  const asked: Asked[] = [];
  const rows: unknown[] = [];
  let facts = { inspected: null } as Pick<Facts, 'inspected'>;
  const client = {
    inspect: (_: unknown, layer: number, { signal }: { signal: AbortSignal }) =>
      new Promise<LayerTensors>((resolve, reject) => asked.push({ layer, signal, resolve, reject })),
    weightRow: (...row: unknown[]) => {
      rows.push(row);
      return Promise.resolve({ weight: Float32Array.of(2), bias: 1 });
    },
  };
  const page = {
    client,
    get: () => facts,
    set: (changed: Pick<Facts, 'inspected'>) => {
      facts = changed;
    },
  } as unknown as Page;
  return { asked, rows, shown: () => facts.inspected, ...anatomyActions(page) };
}

const pass = encoderPass(Uint32Array.of(49406, 49407), 'causal');
const inspectionOf = (layer: number): Inspection => ({ config: clipTiny, pass, loras: [], layer });
/** Promises that are settled by now have told whoever waits for them. */
const settled = () => Promise.resolve().then(() => undefined);

test('the newest request alone is shown, and the one before it is stopped', async () => {
  const { inspect, asked, shown } = start();
  inspect(inspectionOf(0));
  const second = inspectionOf(1);
  inspect(second);
  expect(asked.map(({ layer, signal }) => [layer, signal.aborted])).toEqual([
    [0, true],
    [1, false],
  ]);
  const tensors: LayerTensors = new Map([['hidden', Float32Array.of(1)]]);
  asked[1].resolve(tensors);
  asked[0].resolve(new Map());
  await settled();
  expect(shown()).toEqual({ inspection: second, task: { phase: 'done', result: tensors } });
  // Tensors that are there are not read again.
  inspect(second);
  expect(asked).toHaveLength(2);
});

test('a request that nobody waits for any more changes nothing; one that fails says why', async () => {
  const { inspect, asked, shown } = start();
  const stop = inspect(inspectionOf(0));
  stop();
  expect(asked[0].signal.aborted).toBe(true);
  asked[0].reject(new Error('It was stopped.'));
  await settled();
  expect(shown()).toBeNull();
  const inspection = inspectionOf(1);
  inspect(inspection);
  asked[1].reject(new Error('The GPU has not enough memory.'));
  await settled();
  expect(shown()).toEqual({ inspection, task: { phase: 'failed', message: 'The GPU has not enough memory.' } });
});

test('a weight is read with the LoRAs of the matrix beside it, whatever was encoded since', async () => {
  const { weightRow, rows } = start();
  const loras = [{ lora: 3, multiplier: 0.5 }];
  await weightRow({ ...inspectionOf(1), loras }, 'mlp.fc1', 7);
  expect(rows).toEqual([[1, 'mlp.fc1', 7, loras]]);
});
