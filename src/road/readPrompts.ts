import { describeKind, fileKind } from '../files/fileKind.ts';
import { type PictureFormat, pictureFormat, pictureHeadSize } from '../files/pictureFormat.ts';
import { readPictureTexts } from '../files/pictureTexts.ts';
import type { ByteSource } from '../files/sources.ts';
import { parseInfotext } from '../prompt/a1111/infotext.ts';
import { novelAiPrompts } from '../prompt/a1111/novelAi.ts';
import { ComfyGraphError } from '../prompt/comfy/comfyGraph.ts';
import { readComfyJson } from '../prompt/comfy/comfyJson.ts';
import { graphPrompts } from '../prompt/comfy/graphPrompts.ts';
import { counted, quoted } from './study/sentence.ts';
import type { WrittenPrompts } from './writtenPrompts.ts';

/** A file has no prompt that can be taken. The message is one sentence that names the file. */
export class NoPromptError extends Error {
  override name = 'NoPromptError';
}

/** The longest file of text, in bytes. */
const longestFile = 1 << 22;

/** The places in which a picture of each format was searched. */
const places: Record<PictureFormat, string> = {
  PNG: 'its texts and EXIF, and an embedding in its pixels',
  JPEG: 'its EXIF and comments',
  WebP: 'its EXIF, and an embedding in its pixels if it is lossless',
  AVIF: 'its EXIF',
  GIF: 'its comments',
};

/** Recognises a picture that may carry prompts; null if the file is none. */
export async function pictureFormatOf(source: ByteSource): Promise<PictureFormat | null> {
  return pictureFormat(await source.read(0, Math.min(source.size, pictureHeadSize)));
}

/**
 * Reads the prompts that programs write into their pictures, in the order in which A1111 looks for them: the EXIF comment,
 * then a comment, then `parameters`; NovelAI's texts before all of these; then ComfyUI's graph. Throws NoPromptError if
 * there are none, and SourceError.
 */
export async function readPicturePrompts(source: ByteSource, format: PictureFormat): Promise<WrittenPrompts> {
  const { texts, exif, comment } = await readPictureTexts(source, format);
  const userComment = exif?.comment ?? null;
  const novelAi = novelAiPrompts(texts) ?? novelAiPrompts(textsOfJson(userComment));
  if (novelAi) {
    const { infotext, characters } = novelAi;
    const left = counted(characters, 'prompt');
    const remarks = ['It is NovelAI’s, of whose {…} A1111 makes no weight.'];
    if (characters > 0)
      remarks.push(
        `Its ${left} for single characters ${characters === 1 ? 'is' : 'are'} left out, as A1111 leaves them out.`,
      );
    return { program: 'a1111', infotext, remarks };
  }

  const generated = [userComment, texts.get('parameters')].find((text) => text && !isJson(text));
  if (generated) return infotextOrPrompt(generated);
  // Other programs sign pictures in such a comment, so that a mere text is no prompt there.
  const inComment = comment === null ? null : parseInfotext(comment);
  if (inComment) return { program: 'a1111', infotext: inComment, remarks: [] };

  const graphs = [
    texts.get('prompt'),
    ...(exif?.others ?? []).map(afterName('prompt')),
    userComment,
    texts.get('workflow'),
  ];
  const json = [...graphs, ...(exif?.others ?? []).map(afterName('workflow')), texts.get('parameters')];
  const graph = firstGraph(
    source.name,
    json.filter((text) => text !== undefined && text !== null && isJson(text)) as string[],
  );
  if (graph) return graph;

  // Programs that A1111 does not read put an infotext under other names.
  const elsewhere = [...texts.values(), ...(exif?.others ?? [])].map(parseInfotext).find((found) => found !== null);
  if (elsewhere) return { program: 'a1111', infotext: elsewhere, remarks: [] };

  const other = [userComment, texts.get('parameters'), comment].find((text) => text);
  const found = other ? `: there is only ${quoted(other)}` : '';
  throw new NoPromptError(
    `"${source.name}" is a picture without generation data: A1111's, NovelAI's and ComfyUI's were looked for in ${places[format]}${found}.`,
  );
}

/** Reads a text file: an infotext, ComfyUI's JSON, or a prompt. Throws NoPromptError, and SourceError. */
export async function readTextPrompts(source: ByteSource): Promise<WrittenPrompts> {
  const fail = (why: string): never => {
    throw new NoPromptError(`"${source.name}" ${why}.`);
  };
  if (source.size > longestFile) fail(`has ${source.size} bytes, and a text of prompts is read up to ${longestFile}`);
  const bytes = await source.read(0, source.size);
  const kind = fileKind(bytes.subarray(0, 64));
  if (kind === 'web page' || kind === 'git-lfs pointer') fail(describeKind(kind));
  const text = decodeText(bytes);
  if (text === null || /[\0-\x08\x0e-\x1a]/.test(text)) return fail('is no text in UTF-8 or UTF-16');
  if (text.trim() === '') fail('is an empty text');
  const infotext = parseInfotext(text);
  if (infotext) return { program: 'a1111', infotext, remarks: [] };
  return (isJson(text) ? firstGraph(source.name, [text]) : null) ?? { program: null, prompt: text.trim() };
}

/** Reads a JSON file of ComfyUI's: a workflow, or the graph of one. Null if it is none. Throws NoPromptError. */
export async function readGraphFile(source: ByteSource): Promise<WrittenPrompts | null> {
  if (source.size > longestFile) return null;
  const json = decodeText(await source.read(0, source.size));
  return json === null ? null : firstGraph(source.name, [json]);
}

/** Reads the first of some texts that is ComfyUI's graph; null if none is. Throws NoPromptError if it has no prompts. */
function firstGraph(name: string, texts: readonly string[]): WrittenPrompts | null {
  let failure: ComfyGraphError | null = null;
  for (const text of texts) {
    try {
      const graph = readComfyJson(text);
      if (graph) return { program: 'comfy', graph: graphPrompts(graph) };
    } catch (error) {
      if (!(error instanceof ComfyGraphError)) throw error;
      failure ??= error;
    }
  }
  if (failure) throw new NoPromptError(`"${name}" ${failure.message}.`);
  return null;
}

function infotextOrPrompt(text: string): WrittenPrompts {
  const infotext = parseInfotext(text);
  if (infotext) return { program: 'a1111', infotext, remarks: [] };
  const mere = { prompt: text.trim(), negativePrompt: '', parameters: new Map<string, string>() };
  return { program: 'a1111', infotext: mere, remarks: [] };
}

/** Gives the text after a name and a colon, as ComfyUI writes its graphs into EXIF; undefined after another name. */
function afterName(name: string): (text: string) => string | undefined {
  return (text) =>
    text.slice(0, name.length + 1).toLowerCase() === `${name}:` ? text.slice(name.length + 1) : undefined;
}

/** Whether a text is an object of JSON, by its beginning: no prompt has a quotation mark there. */
function isJson(text: string): boolean {
  return /^\s*\{\s*["}]/.test(text);
}

/** The texts of a JSON object by their names; none if the text is another. */
function textsOfJson(text: string | null): ReadonlyMap<string, string> {
  if (text === null || !isJson(text) || text.length > longestFile) return new Map();
  try {
    const entries = Object.entries(JSON.parse(text) as object);
    return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return new Map();
  }
}

/** Reads UTF-8, or UTF-16 after its mark; null if it is neither. */
function decodeText(bytes: Uint8Array): string | null {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null;
  try {
    return new TextDecoder(utf16 ?? 'utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
