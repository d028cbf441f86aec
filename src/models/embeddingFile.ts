import { clipVitL14 } from '../clip/config.ts';
import { fromFloat32 } from '../files/dtypes.ts';
import { readFloats } from '../files/floatTensor.ts';
import { jsonObject } from '../files/jsonObject.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { type PictureFormat, pictureFormat, pictureHeadSize } from '../files/pictureFormat.ts';
import type { OpenOptions } from '../files/safetensors.ts';
import type { ByteSource } from '../files/sources.ts';
import { elementCount, excerpt, type StoredTensor, shapeText, type TensorFile } from '../files/tensorFile.ts';
import { NoDecoderError } from '../files/webpPixels.ts';
import { cardJson, longestCardJson } from './embeddingCard.ts';
import { embedFlag } from './loraNames.ts';
import { findLayout, usableConfigs } from './tensorNames.ts';

/**
 * The file has no usable textual inversion. The message is one sentence that names the file, what was expected and what
 * is there.
 */
export class EmbeddingError extends Error {
  override name = 'EmbeddingError';
}

/** A textual inversion: vectors that replace the token embeddings of a name in a prompt. */
export interface Embedding {
  /** Name in prompts: the file's name without its ending, or the name it has in a LoRA. */
  readonly name: string;
  /** Its file's name with the ending, by which ComfyUI finds it; undefined of one inside a LoRA or a picture. */
  readonly file?: string;
  /** The token or name it was trained under, if the file tells. */
  readonly trainedAs?: string;
  /** One vector [d] for each token that it takes. */
  readonly vectors: readonly Float32Array[];
}

/** Limit of vectors. No prompt can hold more: A1111 has 75 tokens a chunk. */
const mostVectors = 1024;
const mostEmbeddings = 1000;
/** Limit of vectors of all embeddings of a file: 60 MB. */
const mostVectorsOfFile = 20_000;
const longestName = 500;

const otherWidths: Readonly<Record<number, string>> = {
  1024: ', as for Stable Diffusion 2',
  1280: ", as for SDXL's second encoder",
};

const knownWidths = [...usableConfigs.map(({ hiddenSize }) => hiddenSize), ...Object.keys(otherWidths).map(Number)];

export interface EmbeddingOptions {
  /** Width of the encoder. If there are several, any of them will do, and messages name the first. */
  readonly hiddenSize?: number | readonly number[];
  readonly signal?: AbortSignal;
}

/** The parts of a file that are needed here. */
type Tensors = Pick<TensorFile, 'source' | 'metadata' | 'tensors'> & {
  /** The name that the file itself gives its embedding, whatever the file is called: A1111 reads it in pictures. */
  readonly ownName?: string;
};

/** An embedding's tensors in a file, one below the other, under the name that its trainer gave them. */
interface Found {
  readonly tensorNames: readonly string[];
  readonly name: string;
  readonly file?: string;
  readonly trainedAs?: string;
}

/**
 * A LoRA's embeddings: vectors by the names that trainers give them, or under one name of any kind, as A1111 reads them.
 * Vectors of other encoders are not for this one.
 */
const bundledName =
  /^bundle_emb\.(?:(?<known>.+?)\.(?<part>string_to_param\..+|clip_l|emb_params)|(?<any>[^.]+)\.(?!(clip_g|t5\w*)$)(?!.*\.(clip_g|t5\w*)$).+)$/;

function find(
  { source, metadata, tensors, ownName }: Tensors,
  widths: readonly number[],
  fail: (why: string) => never,
): Found[] {
  const names = [...tensors.keys()];
  const name = ownName ?? source.name.replace(/\.[^.]*$/, '');
  const file = ownName === undefined ? source.name : undefined;

  const bundled = findBundled(names, metadata, fail);
  if (bundled.length > 0) return bundled;

  const params = names.filter((tensorName) => tensorName.startsWith('string_to_param.'));
  if (params.length > 1) fail(`has vectors for ${params.length} tokens; expected one`);
  if (params.length === 1) return [{ tensorNames: params, name, file, trainedAs: metadata.get('name') }];
  for (const tensorName of ['clip_l', 'emb_params'])
    if (tensors.has(tensorName)) return [{ tensorNames: [tensorName], name, file }];
  if (tensors.has('clip_g')) fail("has vectors for SDXL's second encoder only; expected clip_l, those for the first");
  // In Diffusers' files the tensor's name is the token.
  if (names.length === 1) return [{ tensorNames: names, name, file, trainedAs: names[0] }];
  if (names.length === 0) fail('has no tensors');
  if (!areVectors(tensors))
    fail(
      `is not recognised as a textual inversion: it has ${names.length} tensors (${names.slice(0, 2).map(excerpt).join(', ')}, …)`,
    );
  return findVectors(tensors, widths, { name, file });
}

/** Finds A1111's embeddings inside a LoRA: of all that the LoRA brings, the ones for this encoder. */
function findBundled(
  names: readonly string[],
  metadata: TensorFile['metadata'],
  fail: (why: string) => never,
): Found[] {
  const bundled = new Map<string, Found>();
  for (const tensorName of names) {
    if (tensorName.length > longestName) continue;
    const { known, part, any } = bundledName.exec(tensorName)?.groups ?? {};
    const isFlagged = metadata.get(tensorName) === embedFlag;
    const name = isFlagged ? tensorName : (known ?? any);
    if (!name) continue;
    if (bundled.has(name)) fail(`has more than one tensor for the embedding ${excerpt(name)}`);
    bundled.set(name, {
      tensorNames: [tensorName],
      name,
      trainedAs: isFlagged || part?.startsWith('string_to_param.') ? name : undefined,
    });
  }
  if (bundled.size > mostEmbeddings) fail(`has ${bundled.size} embeddings; expected at most ${mostEmbeddings}`);
  return [...bundled.values()];
}

/** Whether tensors are nothing but vectors of the width of some encoder: a textual inversion, whatever their names are. */
function areVectors(tensors: TensorFile['tensors']): boolean {
  return (
    tensors.size <= mostEmbeddings &&
    [...tensors.values()].every(
      ({ shape }) =>
        shape.length >= 1 &&
        shape.length <= 2 &&
        knownWidths.includes(shape.at(-1)!) &&
        (shape.length === 1 || (shape[0] >= 1 && shape[0] <= mostVectors)),
    )
  );
}

/**
 * Finds the embeddings in a file of several tensors of vectors: those of the encoder's width. A list holds one, as ComfyUI
 * reads it. Of pivotal tuning's `text_encoders_0`, `text_encoders_1` one tensor is left, which goes by the file's name. Of a
 * file of several tokens the first goes by the file's name, which ComfyUI takes, and the others by their tokens.
 */
function findVectors(
  tensors: TensorFile['tensors'],
  widths: readonly number[],
  { name, file }: Pick<Found, 'name' | 'file'>,
): Found[] {
  const all = [...tensors.keys()];
  const width = widths.find((width) => all.some((one) => tensors.get(one)!.shape.at(-1) === width));
  const own = all.filter((one) => tensors.get(one)!.shape.at(-1) === width);
  if (own.length === 0) return [{ tensorNames: all.slice(0, 1), name, file }];
  if (all.every((one) => /^\d+\./.test(one))) return [{ tensorNames: own, name, file }];
  // Tensors of other widths tell that the names are those of encoders.
  const isToken = own.length === all.length;
  return own.map((one, i) => ({
    tensorNames: [one],
    name: i === 0 ? name : one,
    ...(i === 0 && { file }),
    ...(isToken && { trainedAs: one }),
  }));
}

/** Checks that a tensor is [n, d], or [d] for one vector. */
function checkShape(
  name: string,
  { shape }: StoredTensor,
  widths: readonly number[],
  fail: (why: string) => never,
): void {
  const [d] = widths;
  const width = shape.at(-1);
  const tensor = `tensor ${excerpt(name)} of shape ${shapeText(shape.slice(0, 8))}`;
  if (shape.length < 1 || shape.length > 2 || width === undefined)
    fail(`has ${tensor}; expected one or more vectors of ${d}`);
  if (!widths.includes(width))
    fail(
      `has vectors of width ${width}${otherWidths[width] ?? ''}; expected ${d}, the width of Stable Diffusion 1's encoder`,
    );
  if (shape.length === 2 && !(shape[0] >= 1 && shape[0] <= mostVectors))
    fail(`has ${shape[0]} vectors; expected 1 to ${mostVectors}`);
}

/**
 * Reads the textual inversions of a tensor file: A1111's (`string_to_param`), Diffusers' (`learned_embeds`, one tensor
 * under the token's name), kohya's (`emb_params`), SDXL's (`clip_l` of `clip_l` and `clip_g`), those bundled with a LoRA
 * (`bundle_emb.{name}.`), and any other small file of nothing but vectors. Throws EmbeddingError.
 */
export async function readEmbeddings(file: Tensors, options: EmbeddingOptions = {}): Promise<Embedding[]> {
  const { hiddenSize = clipVitL14.hiddenSize, signal } = options;
  const widths = typeof hiddenSize === 'number' ? [hiddenSize] : hiddenSize;
  const fail = (why: string): never => {
    throw new EmbeddingError(`"${file.source.name}" ${why}.`);
  };
  const embeddings: Embedding[] = [];
  let total = 0;
  for (const { tensorNames, name, file: fileName, trainedAs } of find(file, widths, fail)) {
    const vectors: Float32Array[] = [];
    for (const tensorName of tensorNames) {
      const tensor = file.tensors.get(tensorName)!;
      checkShape(tensorName, tensor, widths, fail);
      const d = tensor.shape[tensor.shape.length - 1];
      total += elementCount(tensor.shape) / d;
      // Tensors of a PyTorch file may share their bytes.
      if (total > mostVectorsOfFile) fail(`has more than ${mostVectorsOfFile} vectors`);
      const values = await readFloats(tensorName, tensor, fail, signal);
      for (let at = 0; at < values.length; at += d) vectors.push(values.subarray(at, at + d));
    }
    if (vectors.length > mostVectors) fail(`has ${vectors.length} vectors; expected 1 to ${mostVectors}`);
    embeddings.push({ name, ...(fileName && { file: fileName }), ...(trainedAs && { trainedAs }), vectors });
  }
  return embeddings;
}

/** Reads the rows of a tensor that A1111 wrote as JSON; undefined if they are not rows of numbers of one length. */
function jsonRows(param: unknown): number[][] | undefined {
  const rows = (param as { TORCHTENSOR?: unknown } | null)?.TORCHTENSOR;
  if (!Array.isArray(rows) || rows.length === 0) return undefined;
  const isRow = (row: unknown): row is number[] =>
    Array.isArray(row) && row.length === rows[0].length && row.every((x) => typeof x === 'number');
  return rows.every(isRow) ? rows : undefined;
}

/** Reads the JSON in A1111's picture of an embedding, which is A1111's older file. Throws EmbeddingError where it is damaged. */
function cardTensors(source: ByteSource, json: string): Tensors {
  const fail: (why: string) => never = (why) => {
    throw new EmbeddingError(`"${source.name}" ${why}.`);
  };
  const data = jsonObject(json, longestCardJson) ?? fail('is a picture with an embedding that is damaged');
  const params = Object.entries(data.string_to_param ?? {}).map(([token, param]) => {
    const rows = jsonRows(param) ?? fail('is a picture with an embedding that is damaged');
    const tensor: StoredTensor = {
      dtype: 'F32',
      shape: [rows.length, rows[0].length],
      bytes: 4 * rows.length * rows[0].length,
      read: async () => fromFloat32(Float32Array.from(rows.flat()), 'F32'),
    };
    return [`string_to_param.${token}`, tensor] as const;
  });
  const metadata = new Map(typeof data.name === 'string' ? [['name', data.name]] : []);
  const ownName = metadata.get('name')?.slice(0, longestName);
  return { source, metadata, tensors: new Map(params), ...(ownName && { ownName }) };
}

/**
 * Reads the embedding in one of A1111's pictures, as readEmbeddings does: in its texts, or in its pixels. Null where there
 * is none. Throws EmbeddingError, SourceError, and NoDecoderError for a WebP outside of a browser.
 */
export async function openEmbeddingCard(
  source: ByteSource,
  format: PictureFormat,
  options: EmbeddingOptions = {},
): Promise<Embedding[] | null> {
  const json = await cardJson(source, format);
  return json === null ? null : readEmbeddings(cardTensors(source, json), options);
}

/**
 * Opens a safetensors or PyTorch file, or one of A1111's pictures of embeddings, and reads its embeddings as
 * readEmbeddings does. Throws SafetensorsError and TorchFileError, too.
 */
export async function openEmbeddings(
  source: ByteSource,
  options: EmbeddingOptions & OpenOptions = {},
): Promise<Embedding[]> {
  const { signal } = options;
  const format = pictureFormat(await source.read(0, Math.min(pictureHeadSize, source.size), signal));
  if (!format) return readEmbeddings(await openTensorFile(source, signal, options), options);
  const fail = (why: string): never => {
    throw new EmbeddingError(`"${source.name}" ${why}.`);
  };
  const embeddings = await openEmbeddingCard(source, format, options).catch((error: unknown) => {
    if (!(error instanceof NoDecoderError)) throw error;
    return fail('is a WebP, whose pixels only a browser reads here: open it on the page, or save it as a PNG');
  });
  return embeddings ?? fail('is a picture without an embedding in its texts or its pixels');
}

/** Whether a LoRA contains embeddings, for this encoder or another. */
export function bringsEmbeddings({ tensors, metadata }: Pick<TensorFile, 'tensors' | 'metadata'>): boolean {
  return [...tensors.keys()].some(
    (name) => name.length <= longestName && (bundledName.test(name) || metadata.get(name) === embedFlag),
  );
}

/** Whether a file is a textual inversion, for this encoder or another. A LoRA that brings some is a LoRA. */
export function isEmbeddingFile(tensors: TensorFile['tensors']): boolean {
  const names = [...tensors.keys()];
  if (names.some((name) => name.startsWith('string_to_param.'))) return true;
  if (['emb_params', 'clip_l', 'clip_g'].some((name) => tensors.has(name))) return true;
  return names.length > 0 && areVectors(tensors) && !findLayout(tensors);
}
