import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileModules } from '../../scripts/kernels.mjs';
import { embeddings } from '../clip/reference.ts';
import { expectClose } from '../clip/testing/recorded.ts';
import {
  attentionCase,
  attentionShapes,
  expectQuickGelu,
  type LinearCase,
  type LinearResults,
  layerNormCase,
  layerNormShapes,
  linearCase,
  linearResults,
  numbers,
  steepArguments,
  weightDtypes,
  wide,
} from '../engine/testing/kernelCases.ts';
import { fromFloat32, toFloat32, type WeightDtype } from '../files/dtypes.ts';
import { backwardKernels } from './backwardKernels.ts';
import {
  type CpuEpilogue,
  type CpuKernels,
  CpuUnavailableError,
  compileKernels,
  cpuKernels,
  fastestTile,
  matmulScratchBytes,
  panelBytes,
  type TileRows,
  tileHeights,
} from './kernels.ts';
import { allowRelaxedSimd } from './nodeThreads.ts';

allowRelaxedSimd();

/** A memory, filled from its start. */
class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 1200 });
  private end = 16;

  room(bytes: number): number {
    const at = this.end;
    this.end = Math.ceil((at + bytes) / 16) * 16;
    if (this.end > this.memory.buffer.byteLength) throw new RangeError('The memory of the tests is too small.');
    return at;
  }

  clear() {
    this.end = 16;
  }

  put(values: ArrayBufferView): number {
    const at = this.room(values.byteLength);
    new Uint8Array(this.memory.buffer, at).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return at;
  }

  /** Room for an output, NaN, so that an element that the kernel does not write cannot pass for a result. */
  output(count: number): number {
    return this.put(new Float32Array(count).fill(Number.NaN));
  }

  read(at: number, count: number): Float32Array {
    return new Float32Array(this.memory.buffer.slice(at, at + 4 * count));
  }
}

/** `values` [rows, width] in rows that are `stride` apart, NaN between them. */
function spread(values: Float32Array, width: number, stride: number): Float32Array {
  const out = new Float32Array((values.length / width) * stride).fill(Number.NaN);
  for (let row = 0; row * width < values.length; row++)
    out.set(values.subarray(row * width, (row + 1) * width), row * stride);
  return out;
}

/** Bits of floats: NaN and signed zeros are told apart. */
const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

function isSame(a: Float32Array, b: Float32Array): boolean {
  const [wordsOfA, wordsOfB] = [bits(a), bits(b)];
  return a.length === b.length && wordsOfA.every((word, i) => word === wordsOfB[i]);
}

/** Whether an output is NaN still, as it was before. */
const untouched = (values: Float32Array) => values.every(Number.isNaN);

test('the committed modules are what the sources compile to', async () => {
  for (const [name, bytes] of Object.entries(await compileModules()))
    expect(
      readFileSync(`src/cpu/kernels/${name}.hex`, 'utf8') === Buffer.from(bytes).toString('hex'),
      `${name}.hex; npm run kernels writes it`,
    ).toBe(true);
});

test('the relaxed module is taken where it can be run, the plain one elsewhere', async () => {
  expect((await compileKernels()).relaxed).toBe(true);
  expect((await compileKernels(false)).relaxed).toBe(false);
  const { validate } = WebAssembly;
  try {
    let asked = 0;
    WebAssembly.validate = () => ++asked > 1;
    expect((await compileKernels()).relaxed).toBe(false);
    WebAssembly.validate = () => false;
    await expect(compileKernels()).rejects.toThrow(CpuUnavailableError);
    await expect(compileKernels()).rejects.toThrow(/has no SIMD/);
  } finally {
    WebAssembly.validate = validate;
  }
});

test('a policy that forbids WebAssembly is told in words', async () => {
  const { compile } = WebAssembly;
  WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError('Wasm code generation disallowed'));
  try {
    await expect(compileKernels()).rejects.toThrow(/Wasm code generation disallowed.*'wasm-unsafe-eval'/);
  } finally {
    WebAssembly.compile = compile;
  }
});

test('the fastest tile is one of those there are', async () => {
  expect(tileHeights).toContain(await fastestTile(await compileKernels()));
});

const judgements = new Map<string, LinearResults>();

/** Returns the products in float64, which both modules are judged by. */
function judged(of: LinearCase): LinearResults {
  const key = [of.dtype, of.M, of.K, of.N].join();
  const results = judgements.get(key) ?? linearResults(of);
  judgements.set(key, results);
  return results;
}

describe.each(['plain', 'relaxed'])('the %s module', (which) => {
  const arena = new Arena();
  let kernels: CpuKernels;
  beforeAll(async () => {
    kernels = await cpuKernels(await compileKernels(which === 'relaxed'), arena.memory);
    expect(kernels.relaxed).toBe(which === 'relaxed');
  });

  /** `weight` [N, K] as stored → panels, at an offset that is aligned to nothing. */
  function packed(weight: Uint8Array, dtype: WeightDtype, N: number, K: number) {
    const stored = arena.room(weight.length + 3) + 3;
    new Uint8Array(arena.memory.buffer, stored).set(weight);
    const at = arena.output(panelBytes(N, K, dtype) / 4);
    kernels.pack({ dtype, stored, rowStride: K, panels: at, N, K });
    return { at, dtype };
  }

  test.each([
    [1, 4],
    [77, 64],
    [77, 768],
  ])('embeddings of %d × %d', (L, d) => {
    arena.clear();
    const [rows, positions] = [numbers(L * d, 1), numbers(L * d, 2)];
    const hidden = arena.output(L * d);
    kernels.embeddings(arena.put(rows), arena.put(positions), hidden, L * d);
    const expected = embeddings(wide(rows), wide(positions), L, d);
    expect(arena.read(hidden, L * d)).toEqual(Float32Array.from(expected));
  });

  test.each(layerNormShapes)('layer_norm of %d rows of %d', (rows, d) => {
    arena.clear();
    const { x, weight, bias, epsilon, expect: expectNormed } = layerNormCase(rows, d);
    const y = arena.output(rows * d);
    const places = { x: arena.put(x), weight: arena.put(weight), bias: arena.put(bias), y };
    kernels.layerNorm({ ...places, rows, d, epsilon });
    expectNormed(arena.read(y, rows * d));
    kernels.layerNorm({ ...places, y: places.x, rows, d, epsilon });
    expect(isSame(arena.read(places.x, rows * d), arena.read(y, rows * d)), 'in place').toBe(true);
  });

  test('layer_norm of equal elements is the bias', () => {
    arena.clear();
    const bias = numbers(64, 6);
    const y = arena.output(64);
    const x = arena.put(new Float32Array(64).fill(3));
    kernels.layerNorm({
      x,
      weight: arena.put(numbers(64, 7)),
      bias: arena.put(bias),
      y,
      rows: 1,
      d: 64,
      epsilon: 1e-5,
    });
    expectClose('layer_norm', arena.read(y, 64), bias, 1e-6);
  });

  /** Runs matmul on rows that lie apart, and sees that nothing but y is written. → [M, N] */
  function product(of: LinearCase, epilogue: CpuEpilogue, tileRows: TileRows): Float32Array {
    const { M, K, N } = of;
    arena.clear();
    const [xStride, yStride] = [K + 3, N + 5];
    const scratchBytes = matmulScratchBytes(M, K);
    const scratch = arena.output(scratchBytes / 4 + 4);
    const y = arena.output(M * yStride);
    kernels.matmul({
      epilogue,
      x: arena.put(spread(of.x, K, xStride)),
      xStride,
      weight: packed(of.weight, of.dtype, N, K),
      ...(epilogue !== 'none' && { bias: arena.put(of.bias) }),
      ...(epilogue === 'residual' && { residual: arena.put(spread(of.residual, N, yStride)) }),
      ...{ y, yStride, rows: M, K, N, tileRows, scratch },
    });
    expect(untouched(arena.read(scratch + scratchBytes, 4)), 'beyond scratch').toBe(true);
    const written = arena.read(y, M * yStride);
    const values = new Float32Array(M * N);
    for (let row = 0; row < M; row++) {
      values.set(written.subarray(row * yStride, row * yStride + N), row * N);
      if (!untouched(written.subarray(row * yStride + N, (row + 1) * yStride))) expect.fail(`beyond row ${row} of y`);
    }
    return values;
  }

  const shapes = [
    [1, 4, 4],
    [1, 64, 64],
    [2, 768, 64],
    [3, 64, 132],
    [5, 769, 8],
    [7, 68, 4],
    [8, 768, 260],
    [55, 68, 48],
    [63, 64, 132],
    [64, 4, 64],
    [65, 772, 260],
    [77, 768, 768],
    [77, 128, 16],
    [77, 3072, 768],
    [768, 100, 101],
  ] as const;
  const cases = shapes.flatMap(([M, K, N]) => weightDtypes.map((dtype) => [dtype, M, K, N] as const));
  test.each(cases)('matmul of %s weights, M %d, K %d, N %d', (dtype, M, K, N) => {
    const of = linearCase(dtype, M, K, N);
    for (const [epilogue, values] of Object.entries(judged(of)) as [CpuEpilogue, Float64Array][]) {
      const y = product(of, epilogue, 4);
      expectClose(epilogue, y, values, 2e-7 * Math.sqrt(K), 1e-6);
      for (const tileRows of tileHeights)
        if (tileRows !== 4)
          expect(isSame(product(of, epilogue, tileRows), y), `${epilogue}, ${tileRows} rows`).toBe(true);
    }
    // Rows that are kept from one encode to the next rely on it.
    const y = product(of, 'residual', 4);
    for (const rows of [1, 2, 3, 4, 5, 6, 7, 13].filter((count) => count < M)) {
      const from = M - rows;
      const some = { ...of, x: of.x.slice(from * K), residual: of.residual.slice(from * N), M: rows };
      expect(isSame(product(some, 'residual', rows % 2 ? 6 : 4), y.slice(from * N)), `last ${rows} rows`).toBe(true);
    }
  });

  test.each([
    [1, 3, 8],
    [13, 20, 11],
    [6, 900, 24],
  ])('a transposed x and a transposed weight give the same bits: M %d, K %d, N %d', async (M, K, N) => {
    const x = numbers(M * K, 24);
    const weight = numbers(N * K, 25);
    const transposed = (matrix: Float32Array, rows: number, columns: number) =>
      matrix.map((_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]);
    arena.clear();
    const panels = arena.output(panelBytes(N, K, 'F32') / 4);
    (await backwardKernels(arena.memory)).packTransposed({
      matrix: arena.put(transposed(weight, N, K)),
      rowStride: N,
      panels,
      N,
      K,
    });
    const scratch = arena.output(matmulScratchBytes(M, K) / 4);
    const shared = { epilogue: 'none', yStride: N, rows: M, K, N, tileRows: 5, scratch } as const;
    const [y, expected] = [arena.output(M * N), arena.output(M * N)];
    const ofTransposed = { x: arena.put(transposed(x, M, K)), xStride: 1, xStep: M };
    kernels.matmul({ ...shared, ...ofTransposed, weight: { at: panels, dtype: 'F32' }, y });
    const stored = new Uint8Array(weight.buffer);
    kernels.matmul({ ...shared, x: arena.put(x), xStride: K, weight: packed(stored, 'F32', N, K), y: expected });
    expect(isSame(arena.read(y, M * N), arena.read(expected, M * N))).toBe(true);
  });

  test.each([
    [1, 768, 8],
    [2, 3072, 16],
    [13, 1000, 20],
    [77, 769, 16],
  ])('weights at the end of the memory are not read past: M %d, K %d, N %d', async (M, K, N) => {
    const of = linearCase('F32', M, K, N);
    const bytes = panelBytes(N, K, 'F32');
    const [x, y, scratch, stored] = [0, M * K, M * K + M * N, M * K + M * N + matmulScratchBytes(M, K) / 4].map(
      (floats) => 64 * Math.ceil(floats / 16),
    );
    const memory = new WebAssembly.Memory({ initial: Math.ceil((stored + 64 + 2 * bytes) / 65536) });
    const own = await cpuKernels(await compileKernels(which === 'relaxed'), memory);
    const at = memory.buffer.byteLength - bytes;
    new Float32Array(memory.buffer, x).set(of.x);
    new Uint8Array(memory.buffer, stored).set(of.weight);
    own.pack({ dtype: 'F32', stored, rowStride: K, panels: at, N, K });
    const weight = { at, dtype: 'F32' } as const;
    own.matmul({ epilogue: 'none', x, xStride: K, weight, y, yStride: N, rows: M, K, N, tileRows: 6, scratch });
    expect(isSame(new Float32Array(memory.buffer, y, M * N), product(of, 'none', 6))).toBe(true);
  });

  /** Every half that panels can hold: 65536, those of F16 that they cannot replaced by zero. */
  function everyHalf(dtype: WeightDtype): Uint8Array<ArrayBuffer> {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => (dtype === 'F16' && (i & 0x7fff) >= 0x5800 ? 0 : i));
    return new Uint8Array(halves.buffer);
  }
  /** A sum starts from 0, and −0 + 0 is 0. */
  const isValue = (actual: number, wanted: number) => Object.is(actual + 0, wanted + 0);

  test.each(['F16', 'BF16'] as const)('every %s weight is read exactly, by few rows and by many', (dtype) => {
    const weight = everyHalf(dtype);
    const stored = toFloat32(weight, dtype);
    const [N, K] = [stored.length, 1];
    for (const rows of [1, 2, 3, 4, 5]) {
      arena.clear();
      const y = arena.output(rows * N);
      const x = arena.put(new Float32Array(rows).fill(1));
      const scratch = arena.room(matmulScratchBytes(rows, K));
      const of = { epilogue: 'none', x, xStride: K, y, yStride: N, rows, K, N, tileRows: 4, scratch } as const;
      kernels.matmul({ ...of, weight: packed(weight, dtype, N, K) });
      const read = arena.read(y, rows * N);
      const wrong = read.findIndex((value, i) => !isValue(value, stored[i % N]));
      if (wrong >= 0) expect.fail(`weight ${wrong % N} is ${read[wrong]} for row ${Math.floor(wrong / N)} of ${rows}`);
    }
  });

  test.each(['F16', 'BF16'] as const)('every %s weight is read exactly by lora_merge', (dtype) => {
    arena.clear();
    const weight = everyHalf(dtype);
    const stored = toFloat32(weight, dtype);
    const [N, K] = [256, 256];
    const merged = arena.output(N * K);
    const zeros = arena.put(new Float32Array(N));
    const strides = { upStride: N, downStride: K };
    kernels.loraMerge({ weight: packed(weight, dtype, N, K), up: zeros, down: zeros, ...strides, merged, N, K, R: 1 });
    const panels = arena.read(merged, N * K);
    const wrong = stored.findIndex((value, i) => {
      const [n, k] = [Math.floor(i / K), i % K];
      return !isValue(panels[(n >> 3) * 8 * K + 8 * k + (n & 7)], value);
    });
    expect(wrong).toBe(-1);
  });

  test('F16 weights that panels cannot hold are told', () => {
    const pack = (value: number) => {
      arena.clear();
      packed(fromFloat32(Float32Array.of(...numbers(31, 1), value), 'F16'), 'F16', 4, 8);
    };
    for (const value of [127.9375, -127.9375]) pack(value);
    for (const value of [128, -128, 65504, Number.NEGATIVE_INFINITY, Number.NaN])
      expect(() => pack(value), `${value}`).toThrow(/not below 128; expected it to be held as F32/);
  });

  test('quick_gelu survives arguments whose exp overflows', () => {
    const u = steepArguments;
    const [K, N] = [4, u.length];
    const zeros = new Float32Array(N * K);
    const of = { x: zeros.slice(0, K), weight: new Uint8Array(zeros.buffer), dtype: 'F32' as const, bias: u };
    expectQuickGelu(product({ ...of, residual: zeros, M: 1, K, N }, 'quickGelu', 4));
  });

  test('exp is right to 2 units in the last place', async () => {
    const modules = await compileModules(`
      import { exp } from './simd';
      export function exp_all(at: usize, count: i32): void {
        for (const end = at + 4 * count; at < end; at += 16) v128.store(at, exp(v128.load(at)));
      }`);
    const bytes = modules[which === 'relaxed' ? 'kernels_relaxed.wasm' : 'kernels.wasm'];
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory: arena.memory } });
    const expAll = instance.exports.exp_all as (at: number, count: number) => void;
    const dense = Float32Array.from({ length: 2 ** 18 }, (_, i) => (-87.3 * i) / 2 ** 18);
    const small = Float32Array.from({ length: 256 }, (_, i) => -(2 ** (-i / 8)));
    const special = Float32Array.of(-87.4, -104, -1e6, -3.4e38, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0);
    arena.clear();
    const count = dense.length + small.length + special.length;
    const at = arena.room(4 * count);
    const x = new Float32Array(arena.memory.buffer, at, count);
    x.set([...dense, ...small, ...special]);
    const arguments_ = x.slice();
    expAll(at, count);
    for (let i = 0; i < count - special.length; i++) {
      const exact = Math.exp(arguments_[i]);
      const unit = 2 ** (Math.floor(Math.log2(exact)) - 23);
      if (!(Math.abs(x[i] - exact) <= 2 * unit)) expect.fail(`exp(${arguments_[i]}) is ${x[i]}, not ${exact}`);
    }
    expect([...x.slice(-special.length)]).toEqual([0, 0, 0, 0, 0, Number.NaN, 1, 1]);
  });

  const merges = [
    [4, 4, [1]],
    [1, 4, [3]],
    [63, 68, [1, 2]],
    [65, 133, [4, 8, 1]],
    [77, 772, [5]],
    [768, 768, [16, 4]],
    [96, 3072, [8]],
  ] as const;
  const mergeCases = merges.flatMap(([N, K, ranks]) => weightDtypes.map((dtype) => [dtype, N, K, ranks] as const));
  test.each(mergeCases)('lora_merge of %s weights, N %d, K %d, ranks %j', (dtype, N, K, ranks) => {
    arena.clear();
    const R = ranks.reduce<number>((sum, rank) => sum + rank, 0);
    const width = Math.ceil(N / 8) * 8;
    const weight = fromFloat32(numbers(N * K, 13, 1 / Math.sqrt(K)), dtype);
    const [up, down] = [numbers(R * width, 20), numbers(R * K, 14, 1 / Math.sqrt(K))];
    const [upStride, downStride] = [width + 4, K + 3];
    const panels = packed(weight, dtype, N, K);
    const merged = arena.output(width * K);
    const of = {
      weight: panels,
      up: arena.put(spread(up, width, upStride)),
      down: arena.put(spread(down, K, downStride)),
      ...{ upStride, downStride, merged, N, K, R },
    };
    kernels.loraMerge(of);
    const values = toFloat32(weight, dtype);
    const expected = new Float64Array(N * K);
    for (let n = 0; n < N; n++)
      for (let k = 0; k < K; k++) {
        let update = 0;
        for (let r = 0; r < R; r++) update += up[r * width + n] * down[r * K + k];
        expected[n * K + k] = values[n * K + k] + update;
      }
    const rowsOf = (read: Float32Array) =>
      Float32Array.from(expected, (_, i) => {
        const [n, k] = [Math.floor(i / K), i % K];
        return read[(n >> 3) * 8 * K + 8 * k + (n & 7)];
      });
    const read = arena.read(merged, width * K);
    expectClose('merged', rowsOf(read), expected, 2e-7 * Math.sqrt(R), 2e-7);
    if (dtype !== 'F32') return;
    kernels.loraMerge({ ...of, merged: panels.at });
    expect(isSame(rowsOf(arena.read(panels.at, width * K)), rowsOf(read)), 'in place').toBe(true);
  });

  test.each([...attentionShapes, ['causal', 8, 2, 20] as const])(
    'attention, mask %s, L %d, h %d, head dim %d',
    (kind, L, h, headDim) => {
      arena.clear();
      const d = h * headDim;
      const { qkv, mask, expect: expectAttended } = attentionCase(kind, L, h, headDim);
      const [qkvAt, maskAt] = [arena.put(qkv), arena.put(mask)];
      const run = (first: number, end: number) => {
        const [probabilities, attended] = [arena.output(h * L * L), arena.output(L * d)];
        kernels.attention({ qkv: qkvAt, mask: maskAt, probabilities, attended, L, h, headDim, first, end });
        return { probabilities: arena.read(probabilities, h * L * L), output: arena.read(attended, L * d) };
      };
      const { probabilities, output } = run(0, L);
      expectAttended(probabilities, output);

      // Some rows are the same to the bit, and no other is written.
      const [first, end] = [L >> 1, L - (L >> 2)];
      const some = run(first, end);
      for (let head = 0; head < h; head++) {
        const rows = (values: Float32Array, from: number, to: number) =>
          values.slice((head * L + from) * L, (head * L + to) * L);
        expect(isSame(rows(some.probabilities, first, end), rows(probabilities, first, end))).toBe(true);
        expect(untouched(rows(some.probabilities, 0, first)) && untouched(rows(some.probabilities, end, L))).toBe(true);
      }
      expect(isSame(some.output.slice(first * d, end * d), output.slice(first * d, end * d))).toBe(true);
      expect(untouched(some.output.slice(0, first * d)) && untouched(some.output.slice(end * d))).toBe(true);
    },
  );
});
