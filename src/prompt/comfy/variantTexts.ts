import { chosenPrompt, type OpenPrompt, seededChooser, variantChooser } from './dynamicPrompt.ts';

/** Units of all texts together, so that listing those of a long prompt takes no longer than a blink. */
const mostUnits = 100_000;

/** The first texts that can come of a prompt's choices, in the order of their numbers: `most` at most, fewer if they are long. */
export function variantTexts(open: OpenPrompt, most: number): string[] {
  const texts: string[] = [];
  const count = Math.min(most, open.variants);
  for (let left = mostUnits; texts.length < count && left > 0; left -= open.text.length) {
    const choose = variantChooser(texts.length, seededChooser(0))(open);
    texts.push(chosenPrompt(open, choose).text.text);
  }
  return texts;
}
