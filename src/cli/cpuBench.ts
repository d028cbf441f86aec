import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { clipVitL14 } from '../clip/config.ts';
import { createCpuEncoder } from '../cpu/cpuEncoder.ts';
import { allowRelaxedSimd, spawnNodeThread } from '../cpu/nodeThreads.ts';
import type { Encoder } from '../engine/encoder.ts';
import { megabytes } from '../files/byteCount.ts';
import type { WeightDtype } from '../files/dtypes.ts';
import { openCheckpoint } from '../models/openCheckpoint.ts';
import { syntheticWeights } from '../models/synthetic.ts';
import { writeCheckpointFile } from '../models/testing/checkpoints.ts';
import {
  benchEdits,
  benchEncodes,
  benchProfile,
  type NamedEncoder,
  printMemory,
  printRatios,
  stopwatch,
  times,
} from './encoderBench.ts';
import { fileSource } from './fileSource.ts';

const named = (encoder: Encoder, threads: number): NamedEncoder => ({
  name: `${encoder.dtype}, ${threads} thread${threads > 1 ? 's' : ''}`,
  encoder,
});

/** Collects garbage, so that the process's memory is what is held. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** Loads an F16 checkpoint of 246 MB from disk with each number of threads, and prints by how much the process grows. */
async function benchLoad(threads: readonly number[], runs: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'clipscope-'));
  try {
    const path = join(folder, 'full-size.safetensors');
    await writeCheckpointFile(path, { config: clipVitL14, dtype: 'F16', layout: 'hf' });
    const load = async (count: number) =>
      createCpuEncoder(await openCheckpoint(fileSource(path)), { spawn: spawnNodeThread, threads: count });
    collectGarbage();
    const before = process.memoryUsage.rss();
    const first = await load(1);
    collectGarbage();
    const grown = process.memoryUsage.rss() - before;
    console.log(`\n${named(first, 1).name}: the process grows by ${megabytes(grown)}, with the token table.`);
    first.destroy();
    const found = await times(runs, async function* () {
      const file = fileSource(path);
      // No measurement pays for what another left behind.
      collectGarbage();
      let time = stopwatch();
      // Pieces that come and go would take 40 to 600 ms, by what the collector of garbage does meanwhile.
      await file.read(0, file.size);
      yield ['reading the file into memory', time()];
      for (const count of threads) {
        collectGarbage();
        time = stopwatch();
        const encoder = await load(count);
        yield [`to an encoder with ${named(encoder, count).name}`, time()];
        encoder.destroy();
      }
    });
    printRatios('load of an F16 file of 246 MB', found);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Times the encoder on the processor, with each number of threads. */
export async function benchCpu(
  threads: readonly number[],
  dtypes: readonly WeightDtype[],
  runs: number,
  what: ReadonlySet<string>,
): Promise<void> {
  allowRelaxedSimd();
  console.log(`\n${cpus()[0].model}`);
  if (what.has('load')) await benchLoad(threads, runs);
  const encoders: NamedEncoder[] = [];
  for (const dtype of dtypes)
    for (const count of threads) {
      const source = syntheticWeights(clipVitL14, { dtype });
      encoders.push(named(await createCpuEncoder(source, { spawn: spawnNodeThread, threads: count }), count));
    }
  console.log();
  for (const one of encoders) printMemory(one);
  if (what.has('encodes')) await benchEncodes(encoders, runs);
  if (what.has('edits')) for (const one of encoders) await benchEdits(one, runs);
  if (what.has('profile'))
    for (const one of encoders.slice(0, threads.length)) {
      await benchProfile(one, runs);
      await benchProfile(one, runs, { first: 20, end: 22 });
    }
  for (const { encoder } of encoders) encoder.destroy();
}
