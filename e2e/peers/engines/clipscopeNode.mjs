import { createCpuEncoder } from '../../../src/cpu/cpuEncoder.ts';
import { allowRelaxedSimd, spawnNodeThread } from '../../../src/cpu/nodeThreads.ts';
import { passOf } from './clipscope.mjs';

export { prepare } from './clipscope.mjs';

export async function load(source, { threads }) {
  allowRelaxedSimd();
  return passOf(await createCpuEncoder(source, { spawn: spawnNodeThread, threads }));
}
