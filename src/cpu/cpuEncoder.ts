import type { WeightSource } from '../clip/weights.ts';
import { createEncoder, type Encoder } from '../engine/encoder.ts';
import { schedule } from '../engine/schedule.ts';
import { readWeights, type WeightSpec, weightSpecs } from '../engine/weightReading.ts';
import { weightBytes } from '../files/dtypes.ts';
import { createCpuBackend } from './cpuBackend.ts';
import { CpuError } from './cpuError.ts';
import { cut, pieceOf, usefulThreads } from './division.ts';
import { type CompiledKernels, compileKernels, fastestTile, panelColumns, type TileRows } from './kernels.ts';
import type { SpawnThread } from './remoteShare.ts';
import { noRoomFor, type Shares, startShares } from './shares.ts';

export interface CpuEncoderOptions {
  /** Starts a thread; without it there is only the one that calls. */
  readonly spawn?: SpawnThread;
  /** Cores that there are; by default as many as the browser says. */
  readonly cores?: number;
  /** Threads that compute, this one among them, but not more than heads; by default as many as the model is worth on these cores. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Hears of bytes. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Hears why a thread ended or failed, without a full stop at the end: the encoder computes nothing from then on. */
  readonly onLost?: (reason: string) => void;
}

/** Fastest tiles by module, timed once. */
const tiles = new Map<boolean, Promise<TileRows>>();
function knownTile(compiled: CompiledKernels): Promise<TileRows> {
  const known = tiles.get(compiled.relaxed) ?? fastestTile(compiled);
  tiles.set(compiled.relaxed, known);
  return known;
}

/** Writes each part of a weight to the shares that have a piece of it. */
function placeIn(shares: Shares, source: WeightSource, written: (boolean | Promise<boolean>)[]) {
  return (name: string, spec: WeightSpec) => {
    const { dtype } = spec;
    const width = spec.shape[1] ?? 1;
    const pieces = shares.all.map((share) => pieceOf(source.config, share, name, spec));
    return (part: number, stored: Uint8Array<ArrayBuffer>) => {
      for (const [i, other] of shares.others.entries()) {
        const piece = pieces[i + 1];
        if (!piece) continue;
        const data = cut(stored, width, weightBytes[dtype], piece);
        // A slice of its own, since what is sent is gone here.
        const own = data.buffer === stored.buffer ? data.slice() : data;
        written.push(other.call('writeWeight', { name, part, dtype, data: own }, [own.buffer]));
      }
      const data = cut(stored, width, weightBytes[dtype], pieces[0]!);
      written.push(shares.first.writeWeight({ name, part, dtype, data }));
    };
  };
}

/**
 * Loads the weights into the memories of one or more threads, which compute together. Rejects with what `source.read` throws,
 * with the signal's reason, with CpuUnavailableError where WebAssembly is missing, with ThreadStartError before any weight is
 * read, or with CpuError; what was started by then is ended.
 */
export async function createCpuEncoder(
  source: WeightSource,
  { spawn, cores, threads, signal, onProgress = () => {}, onLost }: CpuEncoderOptions = {},
): Promise<Encoder> {
  const { config, name } = source;
  for (const size of [config.hiddenSize, config.headDim, config.intermediateSize])
    if (size % panelColumns !== 0)
      throw new CpuError(
        `"${name}" has a width of ${size}; the processor can only compute multiples of ${panelColumns}.`,
      );
  const wanted = threads ?? usefulThreads(config, cores ?? globalThis.navigator?.hardwareConcurrency ?? 1);
  const count = spawn ? Math.min(wanted, config.numAttentionHeads) : 1;
  const specs = weightSpecs(source, schedule(config, 1));
  signal?.throwIfAborted();
  const compiled = await compileKernels();
  const shares = await startShares(config, specs, { name, compiled, threads: count, spawn, onLost });
  try {
    const written: (boolean | Promise<boolean>)[] = [];
    const reading = readWeights(source, specs, placeIn(shares, source, written), onProgress, signal);
    // Avoids an unhandled rejection while tiles are timed, which takes no longer than the first bytes take to come.
    reading.catch(() => {});
    const tileRows = await knownTile(compiled);
    await shares.call('useTiles', () => tileRows);
    const read = await reading;
    if (!(await Promise.all(written)).every(Boolean)) throw noRoomFor(name);
    signal?.throwIfAborted();
    return createEncoder(await createCpuBackend(source, specs, shares), source, read);
  } catch (error) {
    shares.end();
    throw error;
  }
}
