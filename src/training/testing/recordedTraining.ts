import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readNpy } from '../../files/npy.ts';

interface ArrayEntry {
  readonly name: string;
  readonly file: string;
  readonly offset: number;
  readonly shape: readonly number[];
}

interface Place {
  readonly name: string;
  readonly offset: number;
  readonly shape: readonly number[];
}

interface CaseEntry {
  readonly case: string;
  readonly kind: string;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a configuration of its own.
  readonly config: any;
  readonly arrays: readonly ArrayEntry[];
  readonly parameters?: {
    readonly files: readonly { name: string; file: string }[];
    readonly layout: readonly Place[];
  };
}

const folder = 'src/training/recorded';
const { cases } = JSON.parse(readFileSync(`${folder}/index.json`, 'utf8')) as { cases: CaseEntry[] };

function elements(file: string): Float64Array {
  const { data } = readNpy(readFileSync(`${folder}/${file}`));
  return Float64Array.from(data as Float64Array);
}

/** One case of recorded/index.json. */
export class RecordedCase {
  readonly name: string;
  readonly config: CaseEntry['config'];
  private readonly entry: CaseEntry;

  constructor(entry: CaseEntry) {
    this.entry = entry;
    this.name = entry.case;
    this.config = entry.config;
  }

  /** An array, or its part at some leading indices. */
  array(name: string, ...indices: number[]): Float64Array {
    const found = this.entry.arrays.find((array) => array.name === name);
    if (!found) throw new RangeError(`${this.name} has no array ${name}.`);
    const { file, offset, shape } = found;
    const size = shape.slice(indices.length).reduce((a, b) => a * b, 1);
    const index = indices.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
    return elements(file).subarray(offset + index * size, offset + (index + 1) * size);
  }

  /** A file of parameters or gradients: each tensor by its name. */
  tensors(name: string): Map<string, Float64Array> {
    const { files, layout } = this.entry.parameters!;
    const all = elements(files.find((file) => file.name === name)!.file);
    return new Map(
      layout.map(({ name, offset, shape }) => [name, all.subarray(offset, offset + shape.reduce((a, b) => a * b, 1))]),
    );
  }
}

export function recordedCases(kind: string): RecordedCase[] {
  return cases.filter((entry) => entry.kind === kind).map((entry) => new RecordedCase(entry));
}

/** Compares rows of `width`: every element must be within `tolerance` of the row's expected norm, or of `least` if that is larger. */
export function expectRowsClose(
  name: string,
  actual: ArrayLike<number>,
  expected: Float64Array,
  width: number,
  tolerance: number,
  least = 0,
): void {
  expect(actual.length, `${name}: elements`).toBe(expected.length);
  for (let row = 0; row < expected.length; row += width) {
    const scale = Math.max(least, Math.hypot(...expected.subarray(row, row + width)));
    for (let i = row; i < row + width; i++)
      if (!(Math.abs(actual[i] - expected[i]) <= tolerance * scale))
        expect.fail(`${name}[${i}] is ${actual[i]}, expected ${expected[i]}; the row's scale is ${scale}`);
  }
}
