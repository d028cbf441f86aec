import { isPng, readPngText } from '../checkpoint/pngText.ts';
import { type ByteSource, blobSource } from '../checkpoint/sources.ts';
import { type Infotext, parseInfotext } from '../prompt/infotext.ts';
import type { ConditioningFile } from '../weighting/conditioningFile.ts';
import { readSharedFile, type Shared, SharedError } from './shared.ts';

/** What a file holds, by what it begins with: a picture made by A1111, a saved prompt, conditionings, a LoRA, or else weights. */
export type Opened =
  | { readonly kind: 'infotext'; readonly infotext: Infotext }
  | { readonly kind: 'shared'; readonly shared: Shared }
  | { readonly kind: 'conditioning'; readonly file: ConditioningFile }
  | { readonly kind: 'lora' }
  | { readonly kind: 'checkpoint' };

const headSize = 16;

/** Throws SharedError, ConditioningFileError, or SourceError where the file cannot be read. */
export async function readOpened(file: File): Promise<Opened> {
  const source = blobSource(file);
  const head = await source.read(0, Math.min(source.size, headSize));
  if (isPng(head)) {
    const text = (await readPngText(source)).get('parameters');
    if (!text) throw new SharedError('is a picture without the generation data that A1111 writes into its own');
    const infotext = parseInfotext(text) ?? { prompt: text.trim(), negativePrompt: '', parameters: new Map() };
    return { kind: 'infotext', infotext };
  }
  if (/^\s*\{/.test(new TextDecoder().decode(head))) return { kind: 'shared', shared: await readSharedFile(file) };
  const { openConditioning } = await import('../weighting/conditioningFile.ts');
  const conditioning = await openConditioning(source);
  if (conditioning) return { kind: 'conditioning', file: conditioning };
  return { kind: (await isLora(source)) ? 'lora' : 'checkpoint' };
}

async function isLora(source: ByteSource): Promise<boolean> {
  const [{ openTensorFile }, { hasLoraNames }] = await Promise.all([
    import('../checkpoint/openTensorFile.ts'),
    import('../checkpoint/loraFile.ts'),
  ]);
  // What is wrong with the file is told by what opens it for good.
  return openTensorFile(source).then(hasLoraNames, () => false);
}
