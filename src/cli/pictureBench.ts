import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { compileKernels } from '../cpu/kernels.ts';
import { openSafetensors } from '../files/safetensors.ts';
import { createCpuDenoiser } from '../pictures/cpuDenoiser.ts';
import type { FillableEngine } from '../pictures/denoiserEngine.ts';
import { denoiserFacts, readDenoiser } from '../pictures/denoiserFile.ts';
import { drawDenoiser } from '../pictures/denoiserStart.ts';
import { drawingOn, usualDrawing } from '../pictures/drawing.ts';
import { defaultPictureRun, pictureModelConfig } from '../pictures/pictureRun.ts';
import { previewCalls } from '../state/picture/pictureStore.ts';
import { contextLength } from '../tokens/clipVocabulary.ts';
import { cell } from './encoderBench.ts';
import { fileSource } from './fileSource.ts';

const modelFile = 'public/small-pictures/model.safetensors';

/** So many pictures, `atOnce` of them side by side. */
interface Drawn {
  readonly pictures: number;
  readonly atOnce: number;
  readonly steps: number;
}

/** The denoiser that comes with the page, as it draws there; where there is none, one of the same sizes with parameters drawn by chance. */
async function benchedDenoiser(): Promise<FillableEngine> {
  const compiled = await compileKernels(false);
  const room = { B: 8, T: contextLength };
  if (!existsSync(modelFile)) {
    const engine = await createCpuDenoiser(compiled, pictureModelConfig(defaultPictureRun, 128), room);
    drawDenoiser(engine, 1);
    return engine;
  }
  const file = await openSafetensors(fileSource(modelFile));
  const engine = await createCpuDenoiser(compiled, denoiserFacts(file).config, room);
  await readDenoiser(file, engine);
  return engine;
}

/** Draws what it is told to, in a process of its own, until that is ended: it answers with the calls of the denoiser. */
export async function main(): Promise<void> {
  const engine = await benchedDenoiser();
  const rows = Float32Array.from({ length: contextLength * engine.config.contextWidth }, (_, i) => Math.sin(i));
  const told = { rows, tokens: Array<null>(contextLength).fill(null) };
  const conditioning = { parts: [{ weight: 1, ...told }], negative: told };
  const draw = async ({ pictures, atOnce, steps }: Drawn) => {
    const draft = { seed: 1, steps: Array<typeof conditioning>(steps).fill(conditioning) };
    const drafts = Array<typeof draft>(atOnce).fill(draft);
    let calls = 0;
    for (let drawn = 0; drawn < pictures; drawn += atOnce)
      for await (const _ of drawingOn(engine, drafts, usualDrawing)) calls++;
    return calls;
  };
  await draw({ pictures: 2, atOnce: 2, steps: 2 });
  process.on('message', async (drawn: Drawn) => process.send!(await draw(drawn)));
  process.send!(engine.parameters.values.length);
  await once(process, 'disconnect');
}

/** Milliseconds of the clock until each process has drawn its share: the fastest of some runs. */
async function fastest(processes: readonly ChildProcess[], share: Drawn, runs: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const done = processes.map((one) => once(one, 'message'));
    for (const one of processes) one.send(share);
    await Promise.all(done);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Pictures of the page's row. */
const row = 4;

/** Times pictures as the page draws them: each thread has pictures of its own. */
export async function benchPictures(threads: readonly number[], runs: number): Promise<void> {
  let named = false;
  for (const count of threads) {
    const processes = Array.from({ length: Math.min(row, count) }, () =>
      fork('scripts/run.mjs', ['src/cli/pictureBench.ts']),
    );
    const [[parameters]] = await Promise.all(processes.map((one) => once(one, 'message')));
    if (!named) {
      console.log(
        `\npictures, ${parameters} parameters, with guidance, ms${cell('20 steps', 24)}${cell('typing', 10)}`,
      );
      named = true;
    }
    const times = async (pictures: number, atOnce: number) => {
      const whole = await fastest(processes, { pictures, atOnce, steps: usualDrawing.steps }, runs);
      return [whole, await fastest(processes, { pictures, atOnce: 1, steps: previewCalls }, runs)];
    };
    const each = Math.ceil(row / processes.length);
    const line = (name: string, found: readonly number[]) =>
      console.log(name.padEnd(52) + found.map((time) => cell(time, 10)).join(''));
    const name = `${count} thread${count > 1 ? 's' : ''}`;
    line(`${name}: a picture${count > 1 ? ' on each' : ''}`, await times(1, 1));
    line(`${name}: ${processes.length * each} side by side`, await times(each, Math.min(2, each)));
    for (const one of processes) one.disconnect();
  }
}
