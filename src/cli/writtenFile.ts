import {
  NoPromptError,
  pictureFormatOf,
  readGraphFile,
  readPicturePrompts,
  readTextPrompts,
} from '../road/readPrompts.ts';
import type { WrittenPrompts } from '../road/writtenPrompts.ts';
import { fileSource } from './fileSource.ts';

/** Reads the prompts that a program wrote into a picture, a JSON file or a text. Throws NoPromptError and SourceError. */
export async function readWrittenFile(path: string): Promise<WrittenPrompts> {
  const source = fileSource(path);
  const format = await pictureFormatOf(source);
  if (format) return readPicturePrompts(source, format);
  if (!/\.json$/i.test(path)) return readTextPrompts(source);
  const graph = await readGraphFile(source);
  if (!graph) throw new NoPromptError(`"${source.name}" holds no graph of ComfyUI's.`);
  return graph;
}
