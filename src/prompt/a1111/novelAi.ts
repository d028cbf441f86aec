import { type Infotext, parseInfotext } from './infotext.ts';

/** NovelAI's prompts, as A1111 takes them from its picture. */
export interface NovelAiPrompts {
  readonly infotext: Infotext;
  /** The number of prompts for single characters, which A1111 leaves out. */
  readonly characters: number;
}

/** The part of the JSON in `Comment` that is read here; version 4 of NovelAI's model brought the captions. */
interface Comment {
  readonly prompt?: unknown;
  readonly uc?: unknown;
  readonly steps?: unknown;
  readonly v4_prompt?: { readonly caption?: Captions };
  readonly v4_negative_prompt?: { readonly caption?: Captions };
}

interface Captions {
  readonly base_caption?: unknown;
  readonly char_captions?: unknown;
}

/**
 * Reads the texts that NovelAI writes beside its pictures as stable-diffusion-webui 1.10 does (`read_info_from_image`): it
 * makes an infotext of `Description` and of `uc` in the JSON of `Comment`, with clip skip 2. Null where `Software` is
 * another, or the texts hold no prompt.
 */
export function novelAiPrompts(texts: ReadonlyMap<string, string>): NovelAiPrompts | null {
  if (texts.get('Software') !== 'NovelAI') return null;
  const comment = commentOf(texts.get('Comment'));
  const base = comment?.v4_prompt?.caption;
  const description = [texts.get('Description'), comment?.prompt, base?.base_caption].find(isText);
  if (!comment || description === undefined) return null;
  const negative = [comment.uc, comment.v4_negative_prompt?.caption?.base_caption].find(isText) ?? '';
  const steps = typeof comment.steps === 'number' ? comment.steps : 0;
  const infotext = parseInfotext(
    `${description}\nNegative prompt: ${negative}\nSteps: ${steps}, Clip skip: 2, ENSD: 31337`,
  );
  const characters = base?.char_captions;
  return infotext && { infotext, characters: Array.isArray(characters) ? characters.length : 0 };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function commentOf(json: string | undefined): Comment | null {
  try {
    const comment: unknown = JSON.parse(json ?? '');
    return typeof comment === 'object' ? comment : null;
  } catch {
    return null;
  }
}
