import { describe, expect, test } from 'vitest';
import { add, embeddings } from '../clip/reference.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import {
  attentionCase,
  attentionShapes,
  expectQuickGelu,
  layerNormCase,
  layerNormShapes,
  linearCase,
  linearResults,
  numbers,
  steepArguments,
  weightDtypes,
  wide,
} from '../engine/testing/kernelCases.ts';
import { stackUpdates } from '../engine/weightChanges.ts';
import { fromFloat32, toFloat32 } from '../files/dtypes.ts';
import { loraDelta } from '../models/loraDelta.ts';
import { attentionDispatch, attentionKernels, matmulDispatch, matmulKernels } from './dispatches.ts';
import { kernels } from './kernels.ts';
import { mergeGrid } from './loraMerge.ts';
import { testAdapters, testDevice } from './testing/adapters.ts';
import { runKernel } from './testing/runKernel.ts';

test('every kernel says in its header what it binds, in the order of kernels.ts', () => {
  for (const [name, { source, bindings }] of Object.entries(kernels)) {
    const header = [...source.matchAll(/^\/\/ binding (\d+) +(\w+)/gm)].map(([, n, binding]) => [Number(n), binding]);
    const declared = [...source.matchAll(/^@group\(0\) @binding\((\d+)\) var<storage, (\w+)> (\w+)/gm)];
    expect(header, name).toEqual(bindings.map(([binding], i) => [i, binding]));
    expect(
      declared.map(([, n, access, binding]) => [Number(n), binding, access === 'read' ? 'read' : 'write']),
      name,
    ).toEqual(bindings.map(([binding, access], i) => [i, binding, access]));
  }
});

describe.each(testAdapters)('on %s', (adapter) => {
  test.each([
    [1, 1, 4],
    [2, 77, 64],
    [3, 77, 768],
  ])('embeddings of %d × %d × %d', async (batch, L, d) => {
    const rows = numbers(batch * L * d, 1);
    const positions = numbers(L * d, 2);
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'embeddings',
      constants: {},
      data: [rows, positions, rows.length],
      grid: [Math.ceil(rows.length / 4 / 64), 1, 1],
    });
    for (let b = 0; b < batch; b++) {
      const part = rows.subarray(b * L * d, (b + 1) * L * d);
      const expected = embeddings(wide(part), wide(positions), L, d);
      expectClose('embeddings', out.get('hidden')!.subarray(b * L * d, (b + 1) * L * d), expected, 1e-7, 1e-6);
    }
  });

  test.each(layerNormShapes)('layer_norm of %d rows of %d', async (rows, d) => {
    const { x, weight, bias, epsilon, expect: expectNormed } = layerNormCase(rows, d);
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'layer_norm',
      constants: { D: d, EPSILON: epsilon },
      data: [x, weight, bias, x.length],
      grid: [rows, 1, 1],
    });
    expectNormed(out.get('y')!);
  });

  test('layer_norm of equal elements is the bias', async () => {
    const bias = numbers(64, 6);
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'layer_norm',
      constants: { D: 64, EPSILON: 1e-5 },
      data: [new Float32Array(64).fill(3), numbers(64, 7), bias, 64],
      grid: [1, 1, 1],
    });
    expectClose('layer_norm', out.get('y')!, bias, 1e-6);
  });

  // Shapes that fill tiles in no direction, or in all. Software adapters take a second to compile a pipeline.
  test.each([
    ['F32', 1, 4, 4],
    ['F32', 3, 64, 132],
    ['F16', 7, 68, 4],
    ['BF16', 8, 772, 260],
    ['F32', 9, 100, 16],
    ['F16', 65, 132, 48],
    ['BF16', 77, 128, 64],
    ['F32', 77, 768, 768],
    ['F32', 768, 100, 100],
    ['F32', 9, 3072, 68],
    ['F16', 9, 68, 3072],
  ] as const)('matmul of %s weights, M %d, K %d, N %d', async (dtype, M, K, N) => {
    const device = await testDevice(adapter);
    const of = linearCase(dtype, M, K, N);
    const { x, weight, bias, residual } = of;
    const expected = linearResults(of);
    const tolerance = 2e-6 * Math.sqrt(K);
    // Epilogues depend on neither shape nor type, so one case runs them all: lavapipe takes seconds to compile a pipeline.
    const every = dtype === 'F32' && M === 77 && N === 768;
    const epilogues = every ? (['bias', 'quickGelu', 'residual'] as const) : (['residual'] as const);
    const runs = matmulKernels.flatMap((kernel) => epilogues.map((epilogue) => [kernel, epilogue] as const));
    // Pipelines are compiled beside each other, each on one core.
    await Promise.all(
      runs.map(async ([kernel, epilogue]) => {
        const out = await runKernel(device, {
          ...matmulDispatch(kernel, { M, K, N }, epilogue),
          dtype,
          data: [x, weight, bias, epilogue === 'residual' ? residual : bias, M * N],
        });
        expectClose(`${kernel} ${epilogue}`, out.get('y')!, expected[epilogue], tolerance, 1e-6);
      }),
    );
  });

  test.each(matmulKernels)('%s computes a row to the bit the same among any number of rows', async (kernel) => {
    const device = await testDevice(adapter);
    const [K, N] = [132, 68];
    const x = numbers(77 * K, 8);
    const [weight, bias, residual] = [numbers(N * K, 9), numbers(N, 10), numbers(77 * N, 11)];
    const rowsFrom = async (first: number, M: number) => {
      const rows = (of: Float32Array<ArrayBuffer>, width: number) => of.slice(first * width, (first + M) * width);
      const out = await runKernel(device, {
        ...matmulDispatch(kernel, { M, K, N }, 'residual'),
        data: [rows(x, K), weight, bias, rows(residual, N), M * N],
      });
      return out.get('y')!;
    };
    const all = await rowsFrom(0, 77);
    for (const [first, M] of [
      [0, 1],
      [76, 1],
      [19, 2],
      [5, 3],
      [40, 7],
      [30, 8],
      [60, 9],
      [3, 41],
    ])
      expect(await rowsFrom(first, M), `${M} rows`).toEqual(all.slice(first * N, (first + M) * N));
  });

  const merges = [
    [4, 4, [1]],
    [1, 4, [3]],
    [63, 68, [1, 2]],
    [65, 132, [4, 8, 1]],
    [77, 772, [5]],
    [768, 768, [16, 4]],
    [768, 3072, [32]],
  ] as const;
  const mergeCases = merges.flatMap(([N, K, ranks]) => weightDtypes.map((dtype) => [dtype, N, K, ranks] as const));
  test.each(mergeCases)('lora_merge of %s weights, N %d, K %d, ranks %j', async (dtype, N, K, ranks) => {
    const weight = fromFloat32(numbers(N * K, 13, 1 / Math.sqrt(K)), dtype);
    const updates = ranks.map((rank, i) => ({
      target: 'weight',
      scale: (0.5 + i) / rank,
      change: {
        kind: 'LoRA' as const,
        rank,
        down: numbers(rank * K, 14 + i, 1 / Math.sqrt(K)),
        up: numbers(N * rank, 20 + i),
      },
      magnitude: null,
      multiplier: [0.8, -1.5, 1][i],
    }));
    const { up, down } = stackUpdates(updates);
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'lora_merge',
      constants: { K },
      dtype,
      data: [weight, up, down, N * K],
      grid: mergeGrid(N, K),
    });
    let expected: Float64Array = wide(toFloat32(weight, dtype));
    for (const update of updates) expected = add(expected, loraDelta(update, update.multiplier));
    expectClose('merged', out.get('merged')!, expected, 2e-7, 2e-7);
  });

  test('lora_merge with an update of zeros is the weight, to the bit', async () => {
    const weight = numbers(64 * 64, 13);
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'lora_merge',
      constants: { K: 64 },
      data: [weight, new Float32Array(64), new Float32Array(64), 64 * 64],
      grid: mergeGrid(64, 64),
    });
    expect(out.get('merged')).toEqual(weight);
  });

  test.each(matmulKernels)('%s reads half weights exactly: subnormals, the largest, signed zeros', async (kernel) => {
    const values = [2 ** -24, -(2 ** -24) * 1023, 2 ** -14, 65504, -65504, 1 / 3, -0, 0];
    const weight = fromFloat32(
      Float32Array.from({ length: 16 }, (_, i) => values[i % 8]),
      'F16',
    );
    const identity = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const out = await runKernel(await testDevice(adapter), {
      ...matmulDispatch(kernel, { M: 4, K: 4, N: 4 }, 'bias'),
      dtype: 'F16',
      data: [identity, weight, new Float32Array(4), new Float32Array(4), 16],
    });
    const stored = toFloat32(weight, 'F16');
    const transposed = stored.map((_, i) => stored[(i % 4) * 4 + (i >> 2)]);
    expect(Array.from(out.get('y')!, (v) => v + 0)).toEqual(Array.from(transposed, (v) => v + 0));
  });

  test('quick_gelu survives arguments whose exp overflows', async () => {
    const out = await runKernel(await testDevice(adapter), {
      ...matmulDispatch('matmul', { M: 1, K: 4, N: 12 }, 'quickGelu'),
      data: [new Float32Array(4), new Float32Array(48), steepArguments, new Float32Array(12), 12],
    });
    expectQuickGelu(out.get('y')!);
  });

  const attended = attentionKernels.flatMap((kernel) => attentionShapes.map((shape) => [kernel, ...shape] as const));
  test.each(attended)('%s, mask %s, L %d, h %d, head dim %d, two passes', async (kernel, kind, L, h, headDim) => {
    const d = h * headDim;
    const passes = [attentionCase(kind, L, h, headDim, 12), attentionCase(kind, L, h, headDim, 13)];
    const qkv = new Float32Array(passes.length * L * 3 * d);
    for (const [i, pass] of passes.entries()) qkv.set(pass.qkv, i * L * 3 * d);
    const out = await runKernel(await testDevice(adapter), {
      ...attentionDispatch(kernel, { queries: L, L, heads: h, headDim, passes: passes.length }),
      data: [
        qkv,
        Uint32Array.from(passes.flatMap(({ mask }) => [...mask])),
        Uint32Array.of(0, L, 0),
        passes.length * h * L * L,
        passes.length * L * d,
      ],
    });
    for (const [i, pass] of passes.entries()) {
      const of = (name: string, size: number) => out.get(name)!.subarray(i * size, (i + 1) * size);
      pass.expect(of('probabilities', h * L * L), of('attended', L * d));
    }
  });
});
