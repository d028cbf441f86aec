import type { ClipTextConfig } from '../clip/config.ts';
import type { WeightSource } from '../clip/weights.ts';
import { createEncoder, type Encoder } from '../engine/encoder.ts';
import { schedule } from '../engine/schedule.ts';
import { readWeights, type WeightSpec, weightSpecs } from '../engine/weightReading.ts';
import { createCpuBackend } from './cpuBackend.ts';
import { CpuError } from './cpuError.ts';
import { pieceOf, usefulThreads } from './division.ts';
import {
  type CompiledKernels,
  compileKernels,
  fastestTile,
  panelColumns,
  type TileRows,
  tileHeights,
} from './kernels.ts';
import type { RemoteShare, SpawnThread } from './remoteShare.ts';
import type { WeightPart } from './shareCalls.ts';
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

/** Gives the tile to compute with. A model that is not worth a second thread is ready before the tiles would be timed. */
async function tileFor(config: ClipTextConfig, compiled: CompiledKernels): Promise<TileRows> {
  if (usefulThreads(config, Number.POSITIVE_INFINITY) === 1) return tileHeights[0];
  const known = tiles.get(compiled.relaxed) ?? fastestTile(compiled);
  tiles.set(compiled.relaxed, known);
  return known;
}

/** Writes each part of a weight to the shares that have a piece of it. */
function placeIn(shares: Shares, source: WeightSource, written: (boolean | Promise<boolean>)[]) {
  return (name: string, spec: WeightSpec) => {
    const others = shares.others.filter((_, i) => pieceOf(source.config, shares.all[i + 1], name, spec));
    return (part: number, data: Uint8Array<ArrayBuffer>) => {
      const weightPart = { name, part, dtype: spec.dtype, data };
      written.push(shares.first.writeWeight(weightPart).isWritten);
      if (others.length === 0) return data;
      const passed = passOn(others, weightPart);
      const isWritten = passed.then((last) => last.isWritten);
      // Avoids an unhandled rejection: it is awaited when all has been read.
      isWritten.catch(() => {});
      written.push(isWritten);
      return passed.then((last) => last.data);
    };
  };
}

/** Sends a part of a weight from one share to the next, so that it need not be copied for each; gives it back at last. */
async function passOn(shares: readonly RemoteShare[], { data: read, ...rest }: WeightPart) {
  // All of a buffer is gone here when it is sent.
  let data = read.length === read.buffer.byteLength ? read : read.slice();
  let isWritten = true;
  for (const share of shares) {
    const answer = await share.call('writeWeight', { ...rest, data }, [data.buffer]);
    data = answer.data;
    isWritten &&= answer.isWritten;
  }
  return { isWritten, data };
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
    const tileRows = await tileFor(config, compiled);
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
