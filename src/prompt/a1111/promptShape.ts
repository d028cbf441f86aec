import { PromptBoundError } from '../bounds.ts';
import { readA1111Prompt, stepA1111Prompt } from './a1111Prompt.ts';

/** Steps by which schedules are compared. */
const steps = 20;

/** Leaves out spaces, which may stand for brackets that part words. */
function characters(text: string, isMoved: boolean): string {
  const typed = text.replace(/\s+/g, '');
  return isMoved ? Array.from(typed).sort().join('') : typed;
}

/**
 * Describes what A1111 makes of a prompt before its weights: comments, networks, the parts between ANDs with their weights, and what is encoded
 * at each step. Two prompts of one shape differ in brackets and weights alone. With `isMoved` the order of what is in a part does not count.
 */
export function promptShape(source: string, isMoved = false): string {
  const read = readA1111Prompt(source, { role: 'positive' });
  const typed = (nodes: readonly { readonly start: number; readonly end: number }[]) => {
    const texts = nodes.map(({ start, end }) => source.slice(start, end));
    return isMoved ? texts.sort() : texts;
  };
  const textsOf = () =>
    stepA1111Prompt(read, { steps }).parts.map((part) =>
      part.steps.map(({ endAtStep, parsed }) => [
        endAtStep,
        characters(parsed.fragments.map(({ kind, text }) => (kind === 'break' ? '\0' : text)).join(''), isMoved),
      ]),
    );
  const weights = read.parts.map(({ weight, number }) => [weight, number !== null]);
  return JSON.stringify([typed(read.comments), networkNames(read.networks, isMoved), weights, boundedTexts(textsOf)]);
}

/** Networks without their numbers, which are weights as well. */
function networkNames(networks: ReturnType<typeof readA1111Prompt>['networks'], isMoved: boolean): string[] {
  const names = networks.map(({ kind, name }) => `${kind}:${name}`);
  return isMoved ? names.sort() : names;
}

/** The texts; null where they are too many to be read, as those of the prompt beside it then are. */
function boundedTexts<Texts>(texts: () => Texts): Texts | null {
  try {
    return texts();
  } catch (error) {
    if (error instanceof PromptBoundError) return null;
    throw error;
  }
}
