/** Finds the options by which a file's conditioning was made otherwise than the page's. */
import type { Syntax } from '../../prompt/syntax.ts';
import { optionValues, type PromptOptions, writtenOptions } from '../options.ts';

export interface DifferingOption {
  readonly name: keyof PromptOptions;
  /** The values as texts: the file's, and the page's. */
  readonly file: string;
  readonly page: string;
}

/** The one language in which an option has an effect; options that are missing here have one in all. */
const languages: Readonly<Partial<Record<keyof PromptOptions, Syntax>>> = {
  brackets: 'a1111',
  squareFactor: 'a1111',
  steps: 'a1111',
  step: 'a1111',
  timeline: 'a1111',
  commaPaddingBacktrack: 'a1111',
  split: 'compel',
  clsTokens: 'compel',
  comfyUnit: 'comfy',
  comfyInput: 'comfy',
  choiceSeed: 'comfy',
  positiveVariant: 'comfy',
  negativeVariant: 'comfy',
};

/**
 * Compares the options in a file's metadata, whose keys begin with `prefix`, with those of the page. Options that the file
 * does not name are passed over, and so are those that have no effect in either language.
 */
export function differingOptions(
  metadata: ReadonlyMap<string, string>,
  prefix: string,
  options: PromptOptions,
): DifferingOption[] {
  const written = writtenOptions(options);
  const syntaxes = [metadata.get(`${prefix}syntax`), options.syntax];
  return (Object.keys(optionValues) as (keyof PromptOptions)[]).flatMap((name) => {
    const file = metadata.get(prefix + name);
    const page = written[name];
    const language = languages[name];
    if (file === undefined || file === page || (language && !syntaxes.includes(language))) return [];
    return [{ name, file, page }];
  });
}
