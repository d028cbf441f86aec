import { describe, expect, test } from 'vitest';
import { expectClose } from '../clip/testing/recorded.ts';
import { numbers, wide } from '../engine/testing/kernelCases.ts';
import { testAdapters, testDevice } from '../gpu/testing/adapters.ts';
import { runKernel } from '../gpu/testing/runKernel.ts';
import { attention } from '../training/attentionLayer.ts';
import { multiply } from '../training/layers.ts';
import { gatherSquares, scatterSquares } from './gridLayers.ts';
import { float64PictureKernels, normEps } from './pictureKernels.ts';

describe.each(testAdapters)('on %s', (adapter) => {
  test.each([
    [1, 1, 4, 4],
    [2, 3, 8, 12],
    [3, 5, 36, 8],
  ])('gather_neighbours makes a convolution of %d × %d² pixels, K %d, N %d a linear layer', async (B, side, K, N) => {
    const P = B * side * side;
    const [x, weight, bias] = [numbers(P * K, 1), numbers(N * 9 * K, 2), numbers(N, 3)];
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'gather_neighbours',
      constants: { SIDE: side, C: K },
      data: [x, P * 9 * K],
      grid: [Math.ceil((9 * K) / 4 / 64), P, 1],
    });
    const [expected, linear] = [new Float64Array(P * N), new Float64Array(P * N)];
    float64PictureKernels.convolution(expected, wide(x), wide(weight), wide(bias), { B, side }, K, N);
    float64PictureKernels.forward(linear, wide(out.get('rows')!), wide(weight), wide(bias), P, 9 * K, N);
    expectClose('convolution', linear, expected, 1e-12);
  });

  test.each([
    [1, 1, 4],
    [2, 3, 8],
    [3, 4, 20],
  ])('gather_squares and scatter_squares of %d × %d² squares, C %d', async (B, side, C) => {
    const device = await testDevice(adapter);
    const count = B * side * side * 4 * C;
    const [fine, coarse] = [numbers(count, 4), numbers(count, 5)];
    const shape = { constants: { SIDE: side, C }, grid: [Math.ceil(count / 4 / 64), 1, 1] as const };
    const gathered = await runKernel(device, { kernel: 'gather_squares', ...shape, data: [fine, count] });
    const squares = new Float64Array(count);
    gatherSquares(squares, wide(fine), { B, side }, C);
    expectClose('coarse', gathered.get('coarse')!, squares, 0);
    const scattered = await runKernel(device, { kernel: 'scatter_squares', ...shape, data: [fine, coarse, count] });
    const sum = wide(fine);
    scatterSquares(sum, wide(coarse), { B, side }, C);
    expectClose('y', scattered.get('y')!, sum, 1e-7, 1e-7);
  });

  test.each([4, 256, 260])('multiply %d numbers', async (count) => {
    const [a, b] = [numbers(count, 8), numbers(count, 9)];
    const grid = [Math.ceil(count / 4 / 64), 1, 1] as const;
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'multiply',
      constants: {},
      data: [a, b, count],
      grid,
    });
    const expected = new Float64Array(count);
    multiply(expected, wide(a), wide(b), count);
    expectClose('y', out.get('y')!, expected, 1e-7, 1e-7);
  });

  test.each([
    [1, 1, 4, [[0, 1]]],
    [
      ...[33, 2, 16],
      [
        [0, 77],
        [77, 3],
      ],
    ],
    // Rows that nobody looks at, rows that two pictures look at, and an order of their own.
    [
      ...[16, 3, 64],
      [
        [160, 5],
        [2, 154],
        [160, 5],
        [0, 1],
      ],
    ],
  ] as [number, number, number, number[][]][])(
    'cross_attention of %d pixels, h %d, head dim %d to rows at %j',
    async (P, h, headDim, places) => {
      const [B, d] = [places.length, h * headDim];
      const [rows, T] = [Math.max(...places.map(([first, T]) => first + T)), Math.max(...places.map(([, T]) => T))];
      const [queries, keyValues] = [numbers(B * P * d, 6, 3), numbers(rows * 2 * d, 7, 3)];
      const room = h * P * T;
      const out = await runKernel(await testDevice(adapter), {
        kernel: 'cross_attention',
        constants: { P, H: h, HEAD_DIM: headDim, ROOM: room },
        data: [queries, keyValues, Uint32Array.from(places.flat()), B * room, B * P * d],
        grid: [Math.ceil(P / 32), h, B],
      });
      const attended = new Float64Array(B * P * d);
      for (const [b, [first, Lk]] of places.entries()) {
        const probabilities = new Float64Array(h * P * Lk);
        const kv = wide(keyValues).subarray(first * 2 * d);
        const heads = { q: wide(queries).subarray(b * P * d), k: kv, v: kv.subarray(d) };
        const sizes = { B: 1, Lq: P, Lk, h, headDim, queryStride: d, keyStride: 2 * d, causal: false };
        attention(attended.subarray(b * P * d), probabilities, heads, sizes);
        const own = out.get('probabilities')!.subarray(b * room, b * room + probabilities.length);
        expectClose(`probabilities of picture ${b}`, own, probabilities, 2e-6, 1e-5);
      }
      expectClose('attended', out.get('attended')!, attended, 1e-5, 1e-5);
    },
  );

  test('cross_attention survives scores whose exp overflows', async () => {
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'cross_attention',
      constants: { P: 1, H: 1, HEAD_DIM: 4, ROOM: 2 },
      data: [
        Float32Array.of(600, 0, 0, 0),
        Float32Array.of(9, 0, 0, 0, 1, 2, 3, 4, -9, 0, 0, 0, 5, 6, 7, 8),
        Uint32Array.of(0, 2),
        2,
        4,
      ],
      grid: [1, 1, 1],
    });
    expect([...out.get('probabilities')!]).toEqual([1, 0]);
    expect([...out.get('attended')!]).toEqual([1, 2, 3, 4]);
  });

  test.each([
    [1, 1, 4],
    [3, 7, 68],
  ])('layer_norm of %d pictures of %d rows of %d, each with a weight and a bias of its own', async (B, P, d) => {
    const x = numbers(B * P * d, 8).map((value) => value + 40);
    const scales = numbers(B * 2 * d, 9);
    const out = await runKernel(await testDevice(adapter), {
      kernel: 'layer_norm',
      constants: { D: d, EPSILON: normEps, ROWS: P, BIAS_AT: d / 4 },
      data: [x, scales, scales, x.length],
      grid: [B * P, 1, 1],
    });
    const expected = new Float64Array(x.length);
    for (let b = 0; b < B; b++) {
      const own = wide(scales).subarray(2 * b * d);
      const part = (rows: Float64Array) => rows.subarray(b * P * d);
      float64PictureKernels.layerNorm(part(expected), part(wide(x)), own, own.subarray(d), P, d);
    }
    expectClose('y', out.get('y')!, expected, 5e-5, 5e-5);
  });
});
