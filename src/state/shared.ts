import { compress, decompress } from '../files/compression.ts';
import { type Side, sides } from '../prompt/side.ts';
import type { Facts, Stage } from './facts.ts';
import { asTyped, count, record } from './memory.ts';
import { readOptions } from './readOptions.ts';
import type { Work } from './remembered.ts';

/** The contents of a link or a saved file: everything that makes the page look as it does, but the weights. */
export interface Shared {
  readonly work: Work;
  readonly selection: {
    readonly side: Side;
    readonly chunk: number;
    readonly layer: number;
    readonly head: number;
    readonly stage: Stage;
  };
}

/** A link or file that does not hold what it should; one sentence. */
export class SharedError extends Error {
  override name = 'SharedError';
}

/** The version of the format. A reader knows the versions up to its own. */
const version = 1;
const linkStart = '#share=';
/** The most characters of a link: many programs cut off longer ones. */
export const longestLink = 8_000;
/** The most bytes that a link unpacks to, or a file holds. */
const longest = 1 << 20;

/** A text of a link as messages quote it. */
export const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

export function isSharedLink(hash: string): boolean {
  return hash.startsWith(linkStart);
}

/** Whether the part of an address from `#` on is a link with readable parameters (linkParameters.ts). */
export function isReadableLink(hash: string): boolean {
  return /^#(?:.*&)?(?:v|prompt)=/s.test(hash);
}

/** Picks what a link or a file holds out of the facts. */
export function shared({ prompts, options, side, chunk, layer, head, stage }: Facts): Shared {
  return { work: { prompts, options }, selection: { side, chunk, layer, head, stage } };
}

/** Writes JSON, which is the same in links and in files. */
export function writeShared({ work, selection }: Shared, indent?: number): string {
  const { prompts, options } = work;
  return JSON.stringify({ clipscope: version, prompts, options, selection }, null, indent);
}

/** Reads that JSON; fields that are not known are passed over. Throws SharedError: `absent` if it is none, else where a field that is known is not as it should be. */
export function readShared(json: string, absent = 'holds no prompt of this page'): Shared {
  let stored: unknown;
  try {
    stored = JSON.parse(json);
  } catch {
    throw new SharedError('is damaged or cut off');
  }
  const { clipscope, prompts, options, selection } = record(stored);
  if (clipscope === undefined) throw new SharedError(absent);
  if (!count(clipscope) || (clipscope as number) > version) throw new SharedError('was made by a newer version');
  const texts = record(prompts);
  const { positive, negative = '' } = texts;
  if (typeof positive !== 'string' || typeof negative !== 'string') throw new SharedError('holds no prompt');
  const read = readOptions(record(options));
  if (read.bad.length > 0) throw new SharedError(`has a value for “${read.bad[0]}” that is not known here`);
  const { side = 'positive', chunk = 0, layer = 0, head = 0, stage = 'last' } = record(selection);
  const isNumber = (value: unknown): value is number => value === 0 || count(value) !== null;
  const isRight =
    sides.includes(side as Side) &&
    isNumber(chunk) &&
    isNumber(layer) &&
    isNumber(head) &&
    (stage === 'last' || isNumber(stage));
  if (!isRight) throw new SharedError('is damaged');
  return {
    work: {
      prompts: { positive: asTyped(positive), negative: asTyped(negative) },
      options: read.options,
    },
    selection: { side: side as Side, chunk, layer, head, stage },
  };
}

/** Writes a link, `#share=…`: the JSON, deflated, in base64url. */
export async function writeLink(contents: Shared): Promise<string> {
  const packed = await compress(new TextEncoder().encode(writeShared(contents)), 'deflate-raw');
  const binary = Array.from(packed, (byte) => String.fromCharCode(byte)).join('');
  return linkStart + btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Reads a link. Throws SharedError. */
export async function readLink(hash: string): Promise<Shared> {
  let packed: Uint8Array<ArrayBuffer>;
  try {
    const binary = atob(hash.slice(linkStart.length).replace(/&.*/s, '').replaceAll('-', '+').replaceAll('_', '/'));
    packed = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    throw new SharedError('is damaged or cut off');
  }
  const bytes = await decompress(packed, 'deflate-raw', longest);
  if (!bytes) throw new SharedError('is damaged, cut off or far too long');
  return readShared(new TextDecoder().decode(bytes));
}

/** Reads a saved prompt. Throws SharedError. */
export async function readSharedFile(file: Blob): Promise<Shared> {
  if (file.size > longest) throw new SharedError('is too large for a saved prompt');
  return readShared(await file.text(), 'holds neither a prompt saved by this page nor ComfyUI’s graph');
}
