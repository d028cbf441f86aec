import { fileKind } from './fileKind.ts';
import { type OpenOptions, openSafetensors } from './safetensors.ts';
import type { ByteSource } from './sources.ts';
import type { TensorFile } from './tensorFile.ts';
import { openTorchFile } from './torchFile.ts';

/** Opens a file of named tensors, safetensors or PyTorch's. Throws SafetensorsError, TrailingBytesError, TorchFileError. */
export async function openTensorFile(
  source: ByteSource,
  signal?: AbortSignal,
  options?: OpenOptions,
): Promise<TensorFile> {
  const kind = fileKind(await source.read(0, Math.min(64, source.size), signal));
  return kind === 'zip' || kind === 'pickle' ? openTorchFile(source, signal) : openSafetensors(source, signal, options);
}
