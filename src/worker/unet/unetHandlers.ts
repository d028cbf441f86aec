import { type RowProduct, unetReads } from '../../analyses/unetReads.ts';
import { compileKernels } from '../../cpu/kernels.ts';
import { openTensorFile } from '../../files/openTensorFile.ts';
import { type ByteSource, blobSource } from '../../files/sources.ts';
import { UnetFileError, type UnetLayers, unetLayers } from '../../models/unetFile.ts';
import { NoPictureModelError, pictureModelSource } from '../../pictures/pictureModel.ts';
import { createWasmKernels } from '../../training/wasmKernels.ts';
import type { Handlers } from '../serve.ts';
import type { UnetCalls, UnetSource } from './unetMessages.ts';

/** The world outside of the worker. */
interface UnetSurroundings {
  /** Asks for the file of the page's own denoiser. */
  fetchPictureModel(address: string, signal: AbortSignal): Promise<Response>;
}

function byteSource(source: UnetSource, { fetchPictureModel }: UnetSurroundings, signal: AbortSignal) {
  if (source.kind === 'file') return blobSource(source.file);
  return pictureModelSource((signal) => fetchPictureModel(source.address, signal), signal);
}

/** Products of R rows with weights of these layers, by WebAssembly. */
async function wasmProduct({ layers, width }: UnetLayers, R: number): Promise<RowProduct> {
  const widest = Math.max(width, ...layers.map(({ channels }) => channels));
  // Each of the three arrays begins at a multiple of 16 numbers.
  const floats = R * width + widest * width + R * widest + 3 * 16;
  const kernels = await createWasmKernels(await compileKernels(false), floats, { widest, longest: 1 });
  const x = kernels.allocate(R * width);
  const w = kernels.allocate(widest * width);
  const y = kernels.allocate(R * widest);
  return (rows, weight, channels) => {
    x.set(rows);
    w.set(weight);
    const count = rows.length / width;
    kernels.forward(y, x, w, null, count, width, channels);
    return y.subarray(0, count * channels);
  };
}

async function layersOf(source: ByteSource, d: number, signal: AbortSignal): Promise<UnetLayers> {
  const found = unetLayers(await openTensorFile(source, signal, { passTrailingBytes: true }));
  if (found.width !== d)
    throw new UnetFileError(
      `"${source.name}" has a U-Net that reads rows of ${found.width} numbers, and the text encoder in use gives rows of ${d}: open the U-Net that belongs to it.`,
    );
  return found;
}

/** Answers the page's calls about U-Nets. */
export function createUnetHandlers(surroundings: UnetSurroundings): Handlers<UnetCalls> {
  return {
    async read({ source, before, after, d }, signal) {
      try {
        const unet = await layersOf(await byteSource(source, surroundings, signal), d, signal);
        const multiply = await wasmProduct(unet, (before.length + after.length) / d);
        return { layers: await unetReads(unet.layers, { before, after }, d, multiply, signal) };
      } catch (error) {
        if (error instanceof UnetFileError || error instanceof NoPictureModelError) return { problem: error.message };
        throw error;
      }
    },
  };
}
