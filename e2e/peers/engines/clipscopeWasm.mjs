import { createCpuEncoder } from '../../../src/cpu/cpuEncoder.ts';
import { spawnWorker } from '../../../src/cpu/workerThreads.ts';
import { passOf } from './clipscope.mjs';

export { prepare } from './clipscope.mjs';

export const load = async (source, { threads }) =>
  passOf(await createCpuEncoder(source, { spawn: spawnWorker, threads }));
