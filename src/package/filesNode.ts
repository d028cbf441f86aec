/** `clipscope/files` in Node, Deno and Bun, where a path is a file, too. */
import { fileURLToPath } from 'node:url';
import { fileSource } from '../cli/fileSource.ts';
import { fileOpeners } from './fileOpening.ts';

export { SafetensorsError, TrailingBytesError, writeSafetensors } from '../files/safetensors.ts';
export { SourceError } from '../files/sources.ts';
export { TorchFileError } from '../files/torchFile.ts';
export { EmbeddingError } from '../models/embeddingFile.ts';
export { LoraError } from '../models/loraFile.ts';
export { CheckpointError } from '../models/openCheckpoint.ts';
export { syntheticCheckpoint } from './files.ts';

export const { openTensors, openCheckpoint, openEmbeddings, openLora } = fileOpeners((path) =>
  fileSource(path instanceof URL ? fileURLToPath(path) : path),
);
