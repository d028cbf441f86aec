import { fileName } from './httpSource.ts';
import type { StoredModel } from './storage.ts';

/** A file that can be had from several addresses. Nothing is downloaded before the person asks for it. */
export interface ModelFile {
  /** Never changes; what a choice is remembered by. */
  readonly id: string;
  readonly label: string;
  /** Of the file at the addresses; null where only its text encoder is taken out of it, or where it is not known. */
  readonly bytes: number | null;
  readonly sha256: string | null;
  /** Where `bytes` is null: about how much is downloaded, if that is known. */
  readonly about?: number;
  /** To be tried in this order: the newest home of the model first. */
  readonly urls: readonly string[];
}

export interface ModelSource {
  readonly name: string;
  readonly licence: string;
  readonly files: readonly ModelFile[];
}

/** Homes of Stable Diffusion 1.5 since its first one, runwayml, was closed in August 2024. The files are the same. */
const sd15Homes = [
  'https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/',
  'https://huggingface.co/sd-legacy/stable-diffusion-v1-5/resolve/main/',
  'https://hf-mirror.com/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/',
] as const;

/** Sizes and hashes as the hub's Git LFS has them. */
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
 * A file at an address that the person gives. The hub's pages about files (`/blob/`) become the files (`/resolve/`);
 * null where the text is not an http or https address.
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

/** The file whose download left a part with this source, which is the first of its addresses; null for no address. */
export function fileFrom(source: string): ModelFile | null {
  return sd15TextEncoder.files.find(({ urls }) => urls[0] === source) ?? customFile(source);
}

/** The stored model that is this file, from whichever of its addresses it came. */
export function storedAs({ sha256, urls }: ModelFile, models: readonly StoredModel[]): StoredModel | undefined {
  return models.find(
    (model) => model.complete && ((sha256 !== null && model.sha256 === sha256) || urls.includes(model.source)),
  );
}

/**
 * What a copy of a file's encoder is stored under: the hash of its weights (weightsHash.ts), so that no encoder is kept
 * twice; where that is not known, the file.
 */
export function keptSource(
  { name, size, lastModified }: Pick<File, 'name' | 'size' | 'lastModified'>,
  weights: string | undefined,
): string {
  return weights ? `weights:${weights}` : `file:${encodeURIComponent(name)}?bytes=${size}&modified=${lastModified}`;
}

/** Whether it was copied from a file, and not downloaded. */
export function isKept({ source }: StoredModel): boolean {
  return /^(weights|file):/.test(source);
}
