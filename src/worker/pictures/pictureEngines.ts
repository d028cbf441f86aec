import type { CompiledKernels } from '../../cpu/kernels.ts';
import type { TensorFile } from '../../files/tensorFile.ts';
import type { GpuDevice } from '../../gpu/device.ts';
import { createCpuDenoiser } from '../../pictures/cpuDenoiser.ts';
import type { DenoiserRoom } from '../../pictures/denoiser.ts';
import { type DenoiserConfig, denoiserShapes } from '../../pictures/denoiserConfig.ts';
import { type DenoiserEngine, withSubstitute } from '../../pictures/denoiserEngine.ts';
import { readDenoiser } from '../../pictures/denoiserFile.ts';
import { createGpuDenoiser } from '../../pictures/gpuDenoiser.ts';
import { createParameters } from '../../training/parameters.ts';

/** A denoiser's file, and what runs it. */
export interface DenoiserModel {
  readonly file: TensorFile;
  readonly config: DenoiserConfig;
  readonly compiled: CompiledKernels;
}

async function onCpu({ file, config, compiled }: DenoiserModel, room: DenoiserRoom): Promise<DenoiserEngine> {
  const engine = await createCpuDenoiser(compiled, config, room);
  await readDenoiser(file, engine);
  return engine;
}

/** Should the GPU fail or go away, the CPU goes on, in the middle of a picture too. Rejects with GpuError and as reading does. */
async function onGpu(model: DenoiserModel, room: DenoiserRoom, { device }: GpuDevice): Promise<DenoiserEngine> {
  const { file, config } = model;
  const parameters = createParameters(denoiserShapes(config), (length) => new Float32Array(length));
  await readDenoiser(file, { config, parameters });
  return withSubstitute(await createGpuDenoiser(device, parameters, config, room), () => onCpu(model, room));
}

/**
 * Returns a function that gives the engine to draw with; it keeps one, and makes another where that one has too little room. The GPU is
 * asked for once, and again after it went away: where there is none, or a processor in its place, the CPU draws.
 */
export function createEngines(findGpu: () => Promise<GpuDevice>) {
  let finding: Promise<GpuDevice | null> | undefined;
  let kept: { readonly engine: DenoiserEngine; readonly wantsGpu: boolean } | undefined;

  function hardware(): Promise<GpuDevice | null> {
    finding ??= findGpu().then(
      (gpu) => {
        gpu.device.lost.then(() => {
          finding = undefined;
        });
        return gpu.software ? null : gpu;
      },
      () => null,
    );
    return finding;
  }

  async function create(model: DenoiserModel, room: DenoiserRoom, wantsGpu: boolean): Promise<DenoiserEngine> {
    const gpu = wantsGpu ? await hardware() : null;
    if (!gpu) return onCpu(model, room);
    return onGpu(model, room, gpu).catch(() => onCpu(model, room));
  }

  return async (model: DenoiserModel, room: DenoiserRoom, wantsGpu: boolean): Promise<DenoiserEngine> => {
    const held = kept?.engine.room;
    if (kept && held && kept.wantsGpu === wantsGpu && held.T >= room.T && held.B >= room.B) return kept.engine;
    // The one before gives its memory back first.
    kept?.engine.destroy();
    kept = undefined;
    const engine = await create(model, room, wantsGpu);
    kept = { engine, wantsGpu };
    return engine;
  };
}
