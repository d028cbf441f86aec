import { fileName } from './httpSource.ts';
import type { StoredModel } from './storage.ts';

/** A file with one or more addresses. Nothing is downloaded before the person asks for it. */
export interface ModelFile {
  /** Id by which a choice is remembered; it never changes. */
  readonly id: string;
  readonly label: string;
  /**
   * Length of the file at the addresses; null if it is unknown, or if only the text encoder is extracted from the file.
   */
  readonly bytes: number | null;
  readonly sha256: string | null;
  /** Approximate length of the download, if `bytes` is null and this is known. */
  readonly about?: number;
  /** Addresses in the order in which they are tried, the newest home of the model first. */
  readonly urls: readonly string[];
}

export interface ModelSource {
  readonly name: string;
  readonly licence: string;
  readonly files: readonly ModelFile[];
}

/** Homes of Stable Diffusion 1.5 since runwayml, its first one, was closed in August 2024. Their files are equal. */
const sd15Homes = [
  'https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/',
  'https://huggingface.co/sd-legacy/stable-diffusion-v1-5/resolve/main/',
  'https://hf-mirror.com/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/',
] as const;

/** Origins that these files come from: their homes, and the storage that the homes lead to. `*.` stands for any host below. */
export const modelOrigins = [
  'https://huggingface.co',
  'https://*.huggingface.co',
  'https://*.hf.co',
  'https://hf-mirror.com',
  'https://*.hf-mirror.com',
] as const;

/** SD 1.5's text encoder. Sizes and hashes are from the hub's Git LFS. */
export const sd15TextEncoder: ModelSource = {
  name: 'SD 1.5 text encoder',
  licence: 'CreativeML OpenRAIL-M',
  files: [
    {
      id: 'sd15-text-encoder-f16',
      label: 'SD 1.5 text encoder, 16 bit',
      bytes: 246_144_864,
      sha256: '77795e2023adcf39bc29a884661950380bd093cf0750a966d473d1718dc9ef4e',
      urls: sd15Homes.map((home) => `${home}text_encoder/model.fp16.safetensors`),
    },
    {
      id: 'sd15-text-encoder-f32',
      label: 'SD 1.5 text encoder, 32 bit',
      bytes: 492_265_874,
      sha256: 'd008943c017f0092921106440254dbbe00b6a285f7883ec8ba160c3faad88334',
      urls: sd15Homes.map((home) => `${home}text_encoder/model.safetensors`),
    },
    {
      id: 'sd15-checkpoint-f16',
      label: 'SD 1.5 text encoder out of the whole checkpoint, 16 bit',
      bytes: null,
      sha256: null,
      about: 246_140_000,
      urls: [
        'https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors',
      ],
    },
  ],
};

/**
 * Makes a file of an address that the person typed; null if the text is no http or https address. Addresses of the
 * hub's pages about files (`/blob/`) become addresses of the files (`/resolve/`).
 */
export function customFile(text: string): ModelFile | null {
  const trimmed = text.trim();
  if (!URL.canParse(trimmed)) return null;
  const url = new URL(trimmed);
  if (!/^https?:$/.test(url.protocol)) return null;
  if (/^(huggingface\.co|hf\.co|hf-mirror\.com)$/.test(url.hostname))
    url.pathname = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/blob\//, '$1/resolve/');
  url.hash = '';
  return { id: url.href, label: fileName(url), bytes: null, sha256: null, urls: [url.href] };
}

/**
 * Finds the file of an unfinished download by its source, which is the first of the file's addresses; null if it has
 * none.
 */
export function fileFrom(source: string): ModelFile | null {
  return sd15TextEncoder.files.find(({ urls }) => urls[0] === source) ?? customFile(source);
}

/** Finds the stored model of a file, whichever of its addresses it came from. */
export function storedAs({ sha256, urls }: ModelFile, models: readonly StoredModel[]): StoredModel | undefined {
  return models.find(
    (model) => model.complete && ((sha256 !== null && model.sha256 === sha256) || urls.includes(model.source)),
  );
}

/**
 * Returns the source under which a copy of a file's encoder is stored: the hash of its weights (weightsHash.ts), so
 * that no encoder is stored twice, or the file's name, size and date if the hash is not known. Stable Diffusion's encoder has the
 * weights of CLIP's, which has a projection beside it: these are two.
 */
export function keptSource(
  { name, size, lastModified }: Pick<File, 'name' | 'size' | 'lastModified'>,
  weights: string | undefined,
  hasProjection = false,
): string {
  return weights
    ? `weights:${weights}${hasProjection ? '+projection' : ''}`
    : `file:${encodeURIComponent(name)}?bytes=${size}&modified=${lastModified}`;
}

/** Whether the model was copied from a file instead of downloaded. */
export function isKept({ source }: StoredModel): boolean {
  return /^(weights|file):/.test(source);
}
