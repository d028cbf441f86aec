/**
 * Bounds on a prompt, so that no text holds the page or its memory: a link of 2,000 characters can unfold to a prompt of
 * thousands of chunks, texts or passes. Whatever is within them is read exactly; whatever is not is not read, and told.
 */

/** The most characters (UTF-16 units) of a prompt, and of the texts that a schedule makes of it taken together. */
export const longestPrompt = 64_000;
/** The most chunks of a prompt, those of its parts and of other steps included. No prompt has more parts than chunks. */
export const mostChunks = 512;
/** The most passes of the encoder that the weighting of a prompt may read. */
export const mostPasses = 1_024;
/** The most chunks of a text that all methods are compared on at once, or one of whose weights is swept. */
export const mostStudiedChunks = 24;

/** The most rows of all conditionings of an exported file together, made equally long: 2,048 chunks, 480 MB, with Stable Diffusion 1. */
const mostExportedRows = 2_048 * 77;

/** A prompt that asks for more than these bounds. The message is one sentence with a remedy. */
export class PromptBoundError extends Error {
  override name = 'PromptBoundError';
}

/** Writes a whole number with commas: 64,000. */
const grouped = (count: number) => count.toLocaleString('en');

/** Says that a prompt was not taken because of its length. */
export function tooLongToTake(count: number): string {
  return `A prompt of ${grouped(count)} characters was not taken: at most ${grouped(longestPrompt)} are read.`;
}

/** Throws PromptBoundError where a text is longer than a prompt may be. */
export function holdLength(text: string): void {
  if (text.length <= longestPrompt) return;
  throw new PromptBoundError(
    `This prompt has ${grouped(text.length)} characters, and at most ${grouped(longestPrompt)} are read: shorten it.`,
  );
}

/** Throws PromptBoundError where the texts of a schedule have too many characters together, or are put together of too many stretches. */
export function holdScheduled(characters: number): void {
  if (characters <= longestPrompt) return;
  throw new PromptBoundError(
    `The texts of this prompt at its steps have more than ${grouped(longestPrompt)} characters together, and no more are read: take fewer steps, or let less of it change.`,
  );
}

/** Throws PromptBoundError where a prompt has too many parts of AND, .and() or .blend(). */
export function holdParts(count: number): void {
  if (count <= mostChunks) return;
  throw new PromptBoundError(
    `This prompt has ${grouped(count)} parts, and at most ${grouped(mostChunks)} are read: remove some.`,
  );
}

/** Throws PromptBoundError where there are more chunks than are `left` of the bound. */
export function holdChunks(count: number, left: number): void {
  if (count <= left) return;
  throw new PromptBoundError(
    `This prompt fills more than ${grouped(mostChunks)} chunks (those of other steps and parts included), and no more are read: shorten it.`,
  );
}

/** Throws PromptBoundError where weighting by the method of this name may read too many passes. */
export function holdPasses(count: number, method: string): void {
  if (count <= mostPasses) return;
  throw new PromptBoundError(
    `To weigh this prompt by “${method}” takes ${grouped(count)} passes of the encoder, and at most ${grouped(mostPasses)} are made: give fewer words a weight of their own, or choose another weighting.`,
  );
}

/** Throws PromptBoundError where a text is too long for all methods to be compared on it. */
export function holdStudied(chunks: number): void {
  if (chunks <= mostStudiedChunks) return;
  throw new PromptBoundError(
    `The methods are compared on texts of at most ${mostStudiedChunks} chunks, and this one has ${grouped(chunks)}: shorten it.`,
  );
}

/** Throws PromptBoundError where the conditionings of an exported file, made equally long, have too many chunks of L rows together. */
export function holdExported(chunks: number, L: number): void {
  const most = Math.floor(mostExportedRows / L);
  if (chunks <= most) return;
  throw new PromptBoundError(
    `Both prompts and their parts, made equally long as the program does, would fill ${grouped(chunks)} chunks, and a file takes at most ${grouped(most)}: shorten a prompt.`,
  );
}
